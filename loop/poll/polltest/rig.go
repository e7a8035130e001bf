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

// patience is how long, by the poller's clock, an operation may take that has
// nothing to wait for. It ends cases that would fail anyway, so it may be long
// enough for any machine.
const patience = 10 * time.Second

// A rig is a poller under test. Everything goes through it, so that it can
// check what holds in every case: an operation is reported once, and only if it
// was in flight.
type rig struct {
	t      testing.TB
	open   func(t testing.TB) poll.Poller
	poller poll.Poller
	flying map[*poll.Op]bool // in flight, as far as Submit and Wait have told
	done   []*poll.Op        // what the last wait has reported
}

// newRig makes a rig with a poller of its own. It must be closed.
func newRig(t testing.TB, open func(t testing.TB) poll.Poller) *rig {
	return &rig{t: t, open: open, poller: open(t), flying: map[*poll.Op]bool{}}
}

// second makes another poller, of which the caller takes care.
func (r *rig) second() poll.Poller { return r.open(r.t) }

// aside is a rig for another poller, which the case closes.
func (r *rig) aside() *rig { return newRig(r.t, r.open) }

// close ends a case. A duplicate report that is late comes out here.
func (r *rig) close() {
	if !r.t.Failed() && len(r.flying) == 0 {
		r.quiet()
	}
	if err := r.poller.Close(); err != nil {
		r.t.Errorf("Close of the poller: %v", err)
	}
}

// submit starts op and reports whether it finished at once. One that did must
// not be reported by a Wait any more, which wait checks.
func (r *rig) submit(op *poll.Op) bool {
	r.t.Helper()
	if r.flying[op] {
		r.t.Fatal("the case submits an operation that is in flight")
	}
	if r.poller.Submit(op) {
		return true
	}
	r.flying[op] = true
	return false
}

// wait calls Wait once and checks what it reports: only what is in flight, and
// nothing twice. Nearly all waiting is done here, so every case checks that by
// the way.
func (r *rig) wait(d time.Duration) {
	r.t.Helper()
	r.done = r.poller.Wait(r.done[:0], d)
	for _, op := range r.done {
		if !r.flying[op] {
			r.t.Fatalf("Wait reported a %v (n %d, error %v) that is not in flight", op.Kind, op.N, op.Err)
		}
		delete(r.flying, op)
	}
}

// finish waits until ops are reported. What else is reported meanwhile is noted
// in flying; a case that cares looks there.
func (r *rig) finish(ops ...*poll.Op) {
	r.t.Helper()
	limit := r.poller.Now().Add(patience)
	for _, op := range ops {
		for r.flying[op] {
			left := limit.Sub(r.poller.Now())
			if left <= 0 {
				r.t.Fatalf("a %v was not reported within %v", op.Kind, patience)
			}
			r.wait(left)
		}
	}
}

// do starts op, waits for it and returns it.
func (r *rig) do(op *poll.Op) *poll.Op {
	r.t.Helper()
	r.submit(op)
	r.finish(op)
	return op
}

// must is do for an operation that has no reason to fail.
func (r *rig) must(op *poll.Op) *poll.Op {
	r.t.Helper()
	if r.do(op); op.Err != nil {
		r.t.Fatalf("%v: %v", op.Kind, op.Err)
	}
	return op
}

// quiet checks that nothing is reported, now and a moment later. The look
// before the moment makes a poller take in what has happened, the one after it
// what has come meanwhile. A millisecond is long on one machine and short on
// another: what quiet does not find is missed, and never a failure.
func (r *rig) quiet() {
	r.t.Helper()
	for _, d := range []time.Duration{0, time.Millisecond, 0} {
		before := len(r.flying)
		if r.wait(d); len(r.flying) != before {
			r.t.Fatalf("Wait reported %d operations that had no reason to finish", before-len(r.flying))
		}
	}
}

// sleep lets d pass by the poller's clock, although nothing happens, and returns
// how many Waits were early. A stray one may be, but not again and again.
func (r *rig) sleep(d time.Duration) (early int) {
	r.t.Helper()
	start := r.poller.Now()
	for left := d; left > 0; left = start.Add(d).Sub(r.poller.Now()) {
		if early >= 5 {
			r.t.Fatalf("%d Waits returned early, and %v of %v are still left", early, left, d)
		}
		if r.wait(left); r.poller.Now().Sub(start) < d {
			early++
		}
	}
	return early
}

// want checks the error of op; target may be wrapped in it.
func (r *rig) want(op *poll.Op, target error) {
	r.t.Helper()
	if !errors.Is(op.Err, target) {
		r.t.Errorf("%v: error %v, want %v", op.Kind, op.Err, target)
	}
}

// ok checks the error of a call without which the case makes no sense.
func (r *rig) ok(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// random is a source whose seed is printed if the case fails.
func (r *rig) random() *rand.Rand {
	seed := rand.Uint64()
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// loopback is this machine, port 0.
func loopback() *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// listen makes a TCP listener on a port that nobody else has.
func (r *rig) listen() poll.Handle {
	r.t.Helper()
	l, err := r.poller.Listen(loopback(), poll.ListenOptions{})
	r.ok("Listen", err)
	return l
}

// connect opens one connection to l.
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

// pair makes a connection.
func (r *rig) pair() (client, server poll.Handle) {
	r.t.Helper()
	l := r.listen()
	client, server = r.connect(l)
	r.ok("Close of the listener", l.Close())
	return client, server
}

// read, write and so on make operations.
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

// say writes text on h, which must have room for it: nobody reads meanwhile.
func (r *rig) say(h poll.Handle, text string) {
	r.t.Helper()
	if op := r.must(write(h, text)); op.N != len(text) {
		r.t.Fatalf("Write took %d bytes of %d without an error", op.N, len(text))
	}
}

// hear reads exactly text from h, in as many pieces as it comes in.
func (r *rig) hear(h poll.Handle, text string) {
	r.t.Helper()
	var got []byte
	for len(got) < len(text) {
		op := r.must(read(h, len(text)-len(got)))
		if op.N <= 0 {
			r.t.Fatalf("Read finished with %d bytes and no error", op.N)
		}
		got = append(got, op.Buf[:op.N]...)
	}
	if string(got) != text {
		r.t.Fatalf("read %q, want %q", got, text)
	}
}
