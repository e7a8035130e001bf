// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// A loop makes these calls for every request of every connection, so none of them may allocate.
func TestHotPathsDoNotAllocate(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) { hotPaths(t, mode.config) })
	}
}

func hotPaths(t *testing.T, c epoll.Config) {
	l := newLoopback(t, open(t, c))
	out := &poll.Op{Kind: poll.Write, Handle: l.client, Buf: make([]byte, 64)}
	in := &poll.Op{Kind: poll.Read, Handle: l.server, Buf: make([]byte, 64)}
	loan := &poll.Op{Kind: poll.Read, Handle: l.server}
	watch := &poll.Op{Kind: poll.Readable, Handle: l.server}
	pieces := [8][]byte{}
	vector := &poll.Op{Kind: poll.Write, Handle: l.client, Bufs: pieces[:]}
	forever := time.Duration(-1)

	for _, c := range []struct {
		name string
		run  func()
	}{
		{"write, then read at once", func() {
			l.must(out)
			l.must(in)
		}},
		{"read that waits", func() {
			l.poller.Submit(in)
			l.must(out)
			l.await(in)
		}},
		{"read with a buffer of the poller", func() {
			loan.Buf = nil
			l.poller.Submit(loan)
			l.must(out)
			l.await(loan)
			l.poller.Recycle(loan.Buf)
		}},
		{"cancelled read with a buffer of the poller", func() {
			l.must(out)
			l.must(in) // fills its buffer, so the poller must try again
			loan.Buf = nil
			l.poller.Submit(loan)
			l.poller.Cancel(loan)
			l.await(loan)
		}},
		{"write of eight buffers", func() {
			for i := range pieces {
				pieces[i] = out.Buf[:8]
			}
			l.must(vector)
			l.must(in)
		}},
		{"readable that waits", func() {
			l.poller.Submit(watch)
			l.must(out)
			l.await(watch)
			l.must(in)
		}},
		{"cancel", func() {
			l.poller.Submit(in)
			l.poller.Cancel(in)
			l.await(in)
		}},
		{"wait without waiting", func() { l.wait(0) }},
		{"wait with a deadline", func() { l.wait(time.Microsecond) }},
		{"wake and wait", func() {
			l.poller.Wake()
			l.wait(forever)
		}},
	} {
		c.run() // allocates what is allocated once
		if n := testing.AllocsPerRun(200, c.run); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// The same holds if many connections are busy, each with a buffer of the poller.
func TestManyBuffersDoNotAllocate(t *testing.T) {
	const connections = 200
	l := newLoopback(t, open(t, epoll.Config{}))
	out, in := make([]*poll.Op, connections), make([]*poll.Op, connections)
	for i := range connections {
		client, server := l.connect()
		out[i] = &poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, 64)}
		in[i] = &poll.Op{Kind: poll.Read, Handle: server}
	}
	round := func() {
		for i := range connections {
			in[i].Buf = nil
			l.poller.Submit(in[i])
		}
		for _, op := range out {
			l.must(op)
		}
		for read := 0; read < connections; read += len(l.done) {
			l.wait(-1)
		}
		for _, op := range in {
			l.poller.Recycle(op.Buf)
		}
	}
	round() // allocates the buffers
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations in a round of %d connections", n, connections)
	}
}

// A loopback is a poller that has a connection to itself.
type loopback struct {
	t              testing.TB
	poller         *epoll.Poller
	listener       poll.Handle
	client, server poll.Handle
	done           []*poll.Op
}

func newLoopback(t testing.TB, p *epoll.Poller) *loopback {
	t.Helper()
	l := &loopback{t: t, poller: p, listener: listen(t, p, "127.0.0.1:0")}
	l.client, l.server = l.connect()
	return l
}

func (l *loopback) connect() (client, server poll.Handle) {
	l.t.Helper()
	out := l.must(&poll.Op{Kind: poll.Connect, Addr: l.listener.LocalAddr()})
	in := l.must(&poll.Op{Kind: poll.Accept, Handle: l.listener})
	return out.Handle, in.Accepted
}

func (l *loopback) wait(d time.Duration) { l.done = l.poller.Wait(l.done[:0], d) }

// await waits for op, which is the only operation in flight.
func (l *loopback) await(op *poll.Op) {
	for {
		l.wait(-1)
		if len(l.done) == 1 && l.done[0] == op {
			return
		}
		if len(l.done) != 0 {
			l.t.Fatalf("Wait reported %v, want only the awaited operation", l.done)
		}
	}
}

// must submits op, waits for it, and fails the test if op fails.
func (l *loopback) must(op *poll.Op) *poll.Op {
	if !l.poller.Submit(op) {
		l.await(op)
	}
	if op.Err != nil {
		l.t.Helper()
		l.t.Fatalf("%v: %v", op.Kind, op.Err)
	}
	return op
}
