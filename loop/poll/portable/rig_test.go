// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"net"
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

// hangLimit ends a Wait that would never return. No result depends on it.
const hangLimit = 30 * time.Second

// A rig is a poller under test.
type rig struct {
	*portable.Poller
	t testing.TB
}

func newRig(t testing.TB, config portable.Config) *rig {
	r := &rig{portable.New(config), t}
	t.Cleanup(func() { r.Close() })
	return r
}

// finish submits op and waits until Wait reports it and nothing else.
func (r *rig) finish(op *poll.Op) *poll.Op {
	r.t.Helper()
	if !r.Submit(op) {
		r.await(op)
	}
	return op
}

// await waits until Wait reports op and nothing else.
func (r *rig) await(op *poll.Op) {
	r.t.Helper()
	done := r.Wait(nil, hangLimit)
	if len(done) != 1 || done[0] != op {
		r.t.Fatalf("Wait reported %d operations, want only the %v", len(done), op.Kind)
	}
}

// pair returns both ends of a new connection. The listener uses addr.
func (r *rig) pair(addr net.Addr) (client, server poll.Handle) {
	r.t.Helper()
	l, err := r.Listen(addr, poll.ListenOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	connect := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()})
	accept := r.finish(&poll.Op{Kind: poll.Accept, Handle: l})
	if connect.Err != nil || accept.Err != nil {
		r.t.Fatal(connect.Err, accept.Err)
	}
	if err := l.Close(); err != nil {
		r.t.Error(err)
	}
	return connect.Handle, accept.Accepted
}

func read(h poll.Handle) *poll.Op {
	return &poll.Op{Kind: poll.Read, Handle: h, Buf: make([]byte, 64)}
}
