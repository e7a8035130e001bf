// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// pendingConnects returns a listener whose queue is full, and Connects that are in flight
// because the kernel ignores further connections. opened is the number of connections in the
// queue.
func pendingConnects(t *testing.T, p *epoll.Poller) (l poll.Handle, inFlight []*poll.Op, opened int) {
	t.Helper()
	l, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{Backlog: 1})
	if err != nil {
		t.Fatal(err)
	}
	flying := map[*poll.Op]bool{}
	for range 10 {
		op := &poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}
		if !p.Submit(op) {
			flying[op] = true
		} else if op.Err == nil {
			opened++
		}
		for _, op := range p.Wait(nil, 0) {
			delete(flying, op)
			opened++
		}
	}
	for op := range flying {
		inFlight = append(inFlight, op)
	}
	if len(inFlight) == 0 {
		t.Fatal("a queue of length one took ten connections, want Connects in flight")
	}
	return l, inFlight, opened
}

// A cancelled Connect closes its descriptor.
func TestCancelledConnectClosesDescriptor(t *testing.T) {
	p := open(t, epoll.Config{})
	before := descriptors(t)
	_, ops, opened := pendingConnects(t, p)
	for _, op := range ops {
		p.Cancel(op)
	}
	p.Wait(nil, 0)
	for _, op := range ops {
		if !errors.Is(op.Err, poll.ErrCanceled) || op.Handle != nil {
			t.Errorf("handle %v, error %v, want ErrCanceled", op.Handle, op.Err)
		}
	}
	if after, want := descriptors(t), before+opened+1; after != want {
		t.Errorf("%d descriptors, want %d", after, want)
	}
}

// A Cancel after Close does nothing, not even to a file that has got the descriptor number of
// the socket.
func TestCancelAfterCloseClosesNoFile(t *testing.T) {
	p := open(t, epoll.Config{})
	_, ops, _ := pendingConnects(t, p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for range 30 { // more than there were descriptors
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	for _, op := range ops {
		p.Cancel(op)
		if op.Err != nil {
			t.Errorf("Cancel after Close: %v", op.Err)
		}
	}
	for _, f := range files {
		if _, err := f.Stat(); err != nil {
			t.Errorf("Cancel after Close has closed another file: %v", err)
		}
	}
}

// The kernel may refuse a Connect in flight late, when it tries again after a second. The
// Connect then closes its descriptor.
func TestConnectRefusedLaterClosesDescriptor(t *testing.T) {
	p := open(t, epoll.Config{})
	before := descriptors(t)
	l, ops, opened := pendingConnects(t, p)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(ops); {
		n += len(p.Wait(nil, -1))
	}
	for _, op := range ops {
		if !errors.Is(op.Err, syscall.ECONNREFUSED) || op.Handle != nil {
			t.Errorf("handle %v, error %v, want ECONNREFUSED", op.Handle, op.Err)
		}
	}
	if after, want := descriptors(t), before+opened; after != want {
		t.Errorf("%d descriptors, want %d", after, want)
	}
}

// The kernel may also accept a Connect in flight late.
func TestConnectAcceptedLater(t *testing.T) {
	p := open(t, epoll.Config{})
	l, ops, _ := pendingConnects(t, p)
	in := &poll.Op{Kind: poll.Accept, Handle: l}
	for p.Submit(in) { // until the queue is empty and the kernel accepts connections again
		if in.Err != nil {
			t.Fatal(in.Err)
		}
	}
	for done := p.Wait(nil, -1); len(done) == 0 || done[0] == in; done = p.Wait(nil, -1) {
	}
	for _, op := range ops {
		if op.Handle != nil {
			l := &loopback{t: t, poller: p}
			l.must(&poll.Op{Kind: poll.Write, Handle: op.Handle, Buf: []byte("late")})
			return
		}
	}
	t.Errorf("no Connect succeeded; the first one failed with %v", ops[0].Err)
}

// A Wait handles all events although one system call returns only 256: edges that it leaves in
// the kernel would not come again.
func TestWaitHandlesMoreEventsThanOneCallReturns(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			l := newLoopback(t, open(t, mode.config))
			accept := &poll.Op{Kind: poll.Accept, Handle: l.listener}
			for range 900 { // each one is an event without an operation
				client, err := net.Dial("tcp", l.listener.LocalAddr().String())
				if err != nil {
					t.Fatal(err)
				}
				l.must(accept)
				client.Close()
			}
			client, server := l.connect()
			in := &poll.Op{Kind: poll.Read, Handle: server, Buf: make([]byte, 8)}
			l.poller.Submit(in)
			l.must(&poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("x")})
			l.await(in)
		})
	}
}
