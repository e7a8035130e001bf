// SPDX-License-Identifier: Apache-2.0

package polltest_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/loop/poll"
	"baton/loop/poll/polltest"
	"baton/loop/poll/virtual"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fault is a poller that breaks one promise, and the case that must detect it.
type fault struct {
	name, fails string
	of          func(p poll.Poller) poll.Poller
}

var faults = []fault{
	{"reports twice", "stream/read_before_data", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, wait: func(done []*poll.Op, d time.Duration) []*poll.Op {
			before := len(done)
			done = p.Wait(done, d)
			return append(done, done[before:]...)
		}}
	}},
	{"forgets to report", "stream/read_before_data", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, wait: func(done []*poll.Op, d time.Duration) []*poll.Op {
			p.Wait(nil, d)
			return done
		}}
	}},
	{"is early", "timer/never_early", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, wait: func(done []*poll.Op, d time.Duration) []*poll.Op {
			return p.Wait(done, d-d/4)
		}}
	}},
	{"is not exact", "timer/exact", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, wait: func(done []*poll.Op, d time.Duration) []*poll.Op {
			if d > 0 {
				d++
			}
			return p.Wait(done, d)
		}}
	}},
	{"overwrites", "submit/reports_are_appended", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, wait: func(done []*poll.Op, d time.Duration) []*poll.Op {
			return p.Wait(done[:0], d)
		}}
	}},
	{"does not calm down", "wake/many_are_one", func(p poll.Poller) poll.Poller {
		b := &broken{Poller: p}
		b.wake = func() { b.woken = true }
		b.wait = func(done []*poll.Op, d time.Duration) []*poll.Op {
			if b.woken {
				d = 0
			}
			return p.Wait(done, d)
		}
		return b
	}},
	{"keeps old results", "submit/results_are_fresh", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, submit: func(op *poll.Op) bool {
			n := op.N
			atOnce := p.Submit(op)
			op.N = max(op.N, n)
			return atOnce
		}}
	}},
	{"closes what it cancels", "cancel/in_flight", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, cancel: func(op *poll.Op) {
			p.Cancel(op)
			op.Handle.Close()
		}}
	}},
	{"does not know that it is closed", "closed/calls_afterwards", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, submit: func(op *poll.Op) bool {
			atOnce := p.Submit(op)
			if op.Err == net.ErrClosed {
				op.Err = nil
			}
			return atOnce
		}}
	}},
	{"lends a buffer twice", "provided/distinct", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, recycle: func(buf []byte) {
			p.Recycle(buf)
			p.Recycle(buf)
		}}
	}},
	{"does more than it declares", "undeclared", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, lacks: poll.Readiness}
	}},
	{"forgets marks", "datagram/ancillary", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, submit: func(op *poll.Op) bool {
			for i := range packetsOf(op) {
				(*op.Packets)[i].ECN = 0
			}
			return p.Submit(op)
		}}
	}},
	{"listens on one address", "address/all_of_IPv4", func(p poll.Poller) poll.Poller {
		return &broken{Poller: p, listen: func(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
			if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP == nil {
				addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}
			}
			return p.Listen(addr, opts)
		}}
	}},
}

// packetsOf returns the packets of a Send.
func packetsOf(op *poll.Op) []poll.Packet {
	if op.Kind != poll.Send {
		return nil
	}
	return *op.Packets
}

// A broken poller calls its functions where they are set, and otherwise a correct poller.
type broken struct {
	poll.Poller
	wait    func(done []*poll.Op, d time.Duration) []*poll.Op
	submit  func(op *poll.Op) bool
	cancel  func(op *poll.Op)
	wake    func()
	recycle func(buf []byte)
	listen  func(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error)
	lacks   poll.Caps
	woken   bool
}

func (b *broken) Caps() poll.Caps { return b.Poller.Caps() &^ b.lacks }

func (b *broken) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	if b.wait != nil {
		return b.wait(done, d)
	}
	return b.Poller.Wait(done, d)
}

func (b *broken) Submit(op *poll.Op) bool {
	if b.submit != nil {
		return b.submit(op)
	}
	return b.Poller.Submit(op)
}

func (b *broken) Cancel(op *poll.Op) {
	if b.cancel != nil {
		b.cancel(op)
		return
	}
	b.Poller.Cancel(op)
}

func (b *broken) Wake() {
	if b.wake != nil {
		b.wake()
		return
	}
	b.Poller.Wake()
}

func (b *broken) Recycle(buf []byte) {
	if b.recycle != nil {
		b.recycle(buf)
		return
	}
	b.Poller.Recycle(buf)
}

func (b *broken) Listen(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	if b.listen != nil {
		return b.listen(addr, opts)
	}
	return b.Poller.Listen(addr, opts)
}

// faultName is the environment variable that names the fault of the poller in a child process.
const faultName = "POLLTEST_FAULT"

// The suite detects each fault, names the case and prints its explanation. That fails a test,
// so it runs in a child process.
func TestSuiteDetectsFaults(t *testing.T) {
	if name := os.Getenv(faultName); name != "" {
		for _, f := range faults {
			if f.name == name {
				polltest.Run(t, func(testing.TB) poll.Poller { return f.of(virtual.New(virtual.Config{})) })
			}
		}
		return
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			pattern := "^TestSuiteDetectsFaults$"
			for _, part := range strings.Split(f.fails, "/") {
				pattern += "/^" + part + "$"
			}
			child := exec.Command(os.Args[0], "-test.run="+pattern)
			child.Env = append(os.Environ(), faultName+"="+f.name)
			out, err := child.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestSuiteDetectsFaults/"+f.fails) {
				t.Errorf("a poller that %s passes %s (%v):\n%s", f.name, f.fails, err, out)
			}
			// The suite logs twice: the capabilities of the poller, and the explanation.
			if strings.Count(string(out), "run.go:") < 2 {
				t.Errorf("the output has no explanation of %s:\n%s", f.fails, out)
			}
		})
	}
}
