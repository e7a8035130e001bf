// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// A world is a poller under test.
type world struct {
	*virtual.Poller
	t testing.TB
}

func newWorld(t testing.TB, config virtual.Config) *world {
	w := &world{virtual.New(config), t}
	t.Cleanup(func() { w.Close() })
	return w
}

func tcp(addr string) *net.TCPAddr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)) }

// listen returns a listener and fails the test if it cannot.
func (w *world) listen(addr net.Addr, opts poll.ListenOptions) poll.Handle {
	w.t.Helper()
	l, err := w.Listen(addr, opts)
	if err != nil {
		w.t.Fatalf("Listen(%v): %v", addr, err)
	}
	return l
}

// pair returns both ends of a new connection.
func (w *world) pair(addr net.Addr) (client, server poll.Handle) {
	w.t.Helper()
	l := w.listen(addr, poll.ListenOptions{})
	defer l.Close()
	connect := w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}, nil)
	accept := w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: l}, nil)
	return connect.Handle, accept.Accepted
}

// mustFinish submits op, which must complete at once with the error want.
func (w *world) mustFinish(op *poll.Op, want error) *poll.Op {
	w.t.Helper()
	if !w.Submit(op) {
		w.t.Fatalf("Submit(%v) = in flight, want completed at once", op.Kind)
	}
	if !errors.Is(op.Err, want) {
		w.t.Fatalf("%v: error %v, want %v", op.Kind, op.Err, want)
	}
	return op
}

// mustWait submits op, which must be in flight after that.
func (w *world) mustWait(op *poll.Op) *poll.Op {
	w.t.Helper()
	if w.Submit(op) {
		w.t.Fatalf("Submit(%v) = finished with N %d, error %v, want in flight", op.Kind, op.N, op.Err)
	}
	return op
}

// mustReport calls Wait(d), which must report exactly these operations in this order.
func (w *world) mustReport(d time.Duration, want ...*poll.Op) {
	w.t.Helper()
	got := w.Wait(nil, d)
	if len(got) != len(want) {
		w.t.Fatalf("Wait reported %v, want %v", kinds(got), kinds(want))
	}
	for i := range want {
		if got[i] != want[i] {
			w.t.Fatalf("Wait reported %v; operation %d is another one than expected (%v)", kinds(got), i, kinds(want))
		}
	}
}

func kinds(ops []*poll.Op) []poll.Kind {
	kinds := make([]poll.Kind, len(ops))
	for i, op := range ops {
		kinds[i] = op.Kind
	}
	return kinds
}

func read(h poll.Handle, size int) *poll.Op {
	return &poll.Op{Kind: poll.Read, Handle: h, Buf: make([]byte, size)}
}

func write(h poll.Handle, data string) *poll.Op {
	return &poll.Op{Kind: poll.Write, Handle: h, Buf: []byte(data)}
}
