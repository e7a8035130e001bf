// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"baton/loop/poll"
)

// patience is how long, by the poller's clock, an operation may take that has nothing to wait
// for. It only ends cases that fail anyway, so it may be long.
const patience = 10 * time.Second

// A rig is a poller under test. Cases use it for all calls. So it can check in every case that
// an operation is reported once, and only if it was in flight.
type rig struct {
	t        testing.TB
	open     func(t testing.TB) poll.Poller
	poller   poll.Poller
	inFlight map[*poll.Op]bool // operations in flight, according to Submit and Wait
	done     []*poll.Op        // operations that the last wait reported
}

// newRig returns a rig with a new poller. The caller must close it.
func newRig(t testing.TB, open func(t testing.TB) poll.Poller) *rig {
	return &rig{t: t, open: open, poller: open(t), inFlight: map[*poll.Op]bool{}}
}

// second returns another poller. The caller must close it.
func (r *rig) second() poll.Poller { return r.open(r.t) }

// aside returns a rig with another poller. The caller must close the poller.
func (r *rig) aside() *rig { return newRig(r.t, r.open) }

// close ends a case. It detects late duplicate reports.
func (r *rig) close() {
	if !r.t.Failed() && len(r.inFlight) == 0 {
		r.quiet()
	}
	if err := r.poller.Close(); err != nil {
		r.t.Errorf("Close of the poller: %v", err)
	}
}

// submit starts op and reports whether it completed at once. If it did, wait checks that no Wait
// reports it.
func (r *rig) submit(op *poll.Op) bool {
	r.t.Helper()
	if r.inFlight[op] {
		r.t.Fatal("the case submits an operation that is in flight")
	}
	if r.poller.Submit(op) {
		return true
	}
	r.inFlight[op] = true
	return false
}

// wait calls Wait once and checks that it reports only operations in flight, and none twice.
// Nearly all waiting is done here, so every case checks that.
func (r *rig) wait(d time.Duration) {
	r.t.Helper()
	r.done = r.poller.Wait(r.done[:0], d)
	for _, op := range r.done {
		if !r.inFlight[op] {
			r.t.Fatalf("Wait reported a %v (n %d, error %v) that is not in flight", op.Kind, op.N, op.Err)
		}
		delete(r.inFlight, op)
	}
}

// finish waits until ops are reported. Other operations that are reported meanwhile are removed
// from inFlight; a case can check that.
func (r *rig) finish(ops ...*poll.Op) {
	r.t.Helper()
	limit := r.poller.Now().Add(patience)
	for _, op := range ops {
		for r.inFlight[op] {
			left := limit.Sub(r.poller.Now())
			if left <= 0 {
				r.t.Fatalf("a %v was not reported within %v", op.Kind, patience)
			}
			r.wait(left)
		}
	}
}

// do submits op, waits for it and returns it.
func (r *rig) do(op *poll.Op) *poll.Op {
	r.t.Helper()
	r.submit(op)
	r.finish(op)
	return op
}

// must is like do, and fails the test if op fails.
func (r *rig) must(op *poll.Op) *poll.Op {
	r.t.Helper()
	if r.do(op); op.Err != nil {
		r.t.Fatalf("%v: %v", op.Kind, op.Err)
	}
	return op
}

// quiet checks that nothing is reported, now and a moment later. The first wait makes the
// poller handle earlier events, and the last one handles those of the moment. A millisecond is
// long on one machine and short on another, so quiet may miss a report, but never fails without
// one.
func (r *rig) quiet() {
	r.t.Helper()
	for _, d := range []time.Duration{0, time.Millisecond, 0} {
		before := len(r.inFlight)
		if r.wait(d); len(r.inFlight) != before {
			r.t.Fatalf("Wait reported %d operations that had no reason to finish", before-len(r.inFlight))
		}
	}
}

// sleep waits until d has passed by the poller's clock, and returns the number of early Waits.
// A few may be early.
func (r *rig) sleep(d time.Duration) (early int) {
	r.t.Helper()
	start := r.poller.Now()
	for left := d; left > 0; left = start.Add(d).Sub(r.poller.Now()) {
		if early >= 5 {
			r.t.Fatalf("%d Waits returned early, and %v of %v remain", early, left, d)
		}
		if r.wait(left); r.poller.Now().Sub(start) < d {
			early++
		}
	}
	return early
}

// want checks the error of op with errors.Is.
func (r *rig) want(op *poll.Op, target error) {
	r.t.Helper()
	if !errors.Is(op.Err, target) {
		r.t.Errorf("%v: error %v, want %v", op.Kind, op.Err, target)
	}
}

// ok fails the test if a call that the case needs has failed.
func (r *rig) ok(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// random returns a random source. Its seed is printed if the case fails.
func (r *rig) random() *rand.Rand {
	seed := rand.Uint64()
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// loopback returns the address 127.0.0.1, port 0.
func loopback() *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// listen returns a TCP listener on an unused port.
func (r *rig) listen() poll.Handle {
	r.t.Helper()
	l, err := r.poller.Listen(loopback(), poll.ListenOptions{})
	r.ok("Listen", err)
	return l
}

// connect opens a connection to l.
func (r *rig) connect(l poll.Handle) (client, server poll.Handle) {
	r.t.Helper()
	accept := &poll.Op{Kind: poll.Accept, Handle: l}
	connect := &poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}
	r.submit(accept)
	r.submit(connect)
	r.finish(accept, connect)
	r.ok("connect", connect.Err)
	r.ok("accept", accept.Err)
	return connect.Handle, accept.Accepted
}

// pair returns both ends of a new connection.
func (r *rig) pair() (client, server poll.Handle) {
	r.t.Helper()
	l := r.listen()
	client, server = r.connect(l)
	r.ok("Close of the listener", l.Close())
	return client, server
}

// read returns a Read. The functions below return other operations.
func read(h poll.Handle, n int) *poll.Op {
	return &poll.Op{Kind: poll.Read, Handle: h, Buf: make([]byte, n)}
}

func write(h poll.Handle, text string) *poll.Op {
	return &poll.Op{Kind: poll.Write, Handle: h, Buf: []byte(text)}
}

func connect(to net.Addr) *poll.Op { return &poll.Op{Kind: poll.Connect, Addr: to} }

func accept(l poll.Handle) *poll.Op { return &poll.Op{Kind: poll.Accept, Handle: l} }

func lookup(network, host string) *poll.Op {
	return &poll.Op{Kind: poll.Lookup, Network: network, Host: host}
}

// say writes text to h. There must be space for it, because no Read is in flight.
func (r *rig) say(h poll.Handle, text string) {
	r.t.Helper()
	if op := r.must(write(h, text)); op.N != len(text) {
		r.t.Fatalf("Write wrote %d of %d bytes without an error", op.N, len(text))
	}
}

// hear reads from h, in any number of pieces, and expects exactly text.
func (r *rig) hear(h poll.Handle, text string) {
	r.t.Helper()
	var got []byte
	for len(got) < len(text) {
		op := r.must(read(h, len(text)-len(got)))
		if op.N <= 0 {
			r.t.Fatalf("Read completed with %d bytes and no error", op.N)
		}
		got = append(got, op.Buf[:op.N]...)
	}
	if string(got) != text {
		r.t.Fatalf("read %q, want %q", got, text)
	}
}
