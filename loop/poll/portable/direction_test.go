// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"net"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

// The deadline that cancels one operation must not end the next operation.
func TestCancelDoesNotEndNextOperation(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		for _, op := range []*poll.Op{
			read(server),
			{Kind: poll.Accept, Handle: l},
			{Kind: poll.Write, Handle: client, Buf: []byte("x")},
		} {
			if r.Submit(op) {
				t.Fatalf("%v completed at once, error %v", op.Kind, op.Err)
			}
			r.Cancel(op)
			r.await(op)
			if op.Kind == poll.Write && op.Err == nil {
				if op := r.finish(read(server)); op.N != 1 {
					t.Fatalf("after a Write that completed before Cancel: Read read %d bytes, error %v, want 1 byte", op.N, op.Err)
				}
			} else if op.Err != poll.ErrCanceled {
				t.Fatalf("a cancelled %v: error %v, want ErrCanceled", op.Kind, op.Err)
			}
		}
		writing := r.finish(&poll.Op{Kind: poll.Write, Handle: client, Buf: []byte("hello")})
		reading := r.finish(read(server))
		if writing.Err != nil || string(reading.Buf[:reading.N]) != "hello" {
			t.Fatalf("after Cancel: Write has error %v; Read read %q, error %v", writing.Err, reading.Buf[:reading.N], reading.Err)
		}
		connect := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()})
		accept := r.finish(&poll.Op{Kind: poll.Accept, Handle: l})
		if connect.Err != nil || accept.Err != nil {
			t.Fatalf("after Cancel: Connect has error %v, Accept has error %v", connect.Err, accept.Err)
		}
		connect.Handle.Abort()
		accept.Accepted.Close()
	}
}

// A Read that completes before its Cancel keeps its bytes. Every byte written arrives, in this
// Read or in the next one.
func TestCancelLosesNothing(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	canceled := 0
	for i := range 500 {
		reading := read(server)
		if r.Submit(reading) {
			t.Fatalf("Read completed at once, error %v", reading.Err)
		}
		writing := &poll.Op{Kind: poll.Write, Handle: client, Buf: []byte{byte(i)}}
		r.Submit(writing)
		r.Cancel(reading)
		for left := 2; left > 0; {
			left -= len(r.Wait(nil, hangLimit))
		}
		if reading.Err == poll.ErrCanceled {
			canceled++
			r.finish(reading)
		}
		if reading.Err != nil || reading.N != 1 || reading.Buf[0] != byte(i) {
			t.Fatalf("byte %d: Read read %d bytes, error %v, first byte %d", i, reading.N, reading.Err, reading.Buf[0])
		}
	}
	t.Logf("%d of 500 Reads were cancelled before they completed", canceled)
}

// The next Wait reports the operations that Close has ended, even a Wait that does not block.
func TestNextWaitReportsClosedOperations(t *testing.T) {
	r := newRig(t, portable.Config{})
	for range 100 {
		client, server := r.pair(loopback)
		reading := read(client)
		r.Submit(reading)
		client.Close()
		if done := r.Wait(nil, 0); len(done) != 1 || reading.Err != net.ErrClosed {
			t.Fatalf("Wait(0) after Close reported %d operations, and the Read has error %v; want 1 and net.ErrClosed", len(done), reading.Err)
		}
		server.Close()
	}
}
