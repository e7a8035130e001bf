// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"net"
	"runtime"
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// Once the buffers exist, operations of a stream do not allocate.
func TestStreamsDoNotAllocate(t *testing.T) {
	w := newWorld(t, virtual.Config{Dial: func(addr net.Addr) (time.Duration, error) {
		if addr.(*net.TCPAddr).Port == 1 {
			return time.Hour, nil
		}
		return 0, nil
	}})
	client, server := w.pair(tcp("127.0.0.1:0"))
	data := make([]byte, 3*capacity)
	writing := &poll.Op{Kind: poll.Write, Handle: client}
	reading := &poll.Op{Kind: poll.Read, Handle: server}
	dialing := &poll.Op{Kind: poll.Connect, Addr: tcp("127.0.0.1:1")}
	done := make([]*poll.Op, 0, 8)
	submit := func(op *poll.Op, buf []byte) {
		op.Buf = buf
		w.Submit(op)
	}
	for _, c := range []struct {
		name  string
		cycle func()
	}{
		{"write then read", func() {
			submit(writing, data[:100])
			submit(reading, data[:200])
		}},
		{"read then write", func() {
			submit(reading, data[:200])
			submit(writing, data[:100])
			done = w.Wait(done[:0], 0)
		}},
		{"provided", func() {
			submit(reading, nil)
			submit(writing, data[:100])
			done = w.Wait(done[:0], 0)
			w.Recycle(reading.Buf)
		}},
		{"back pressure", func() {
			submit(writing, data)
			for range 3 {
				submit(reading, data[:capacity])
			}
			done = w.Wait(done[:0], 0)
		}},
		{"cancel", func() {
			submit(reading, data)
			w.Submit(dialing)
			w.Cancel(reading)
			w.Cancel(dialing)
			done = w.Wait(done[:0], 0)
		}},
		{"time and wake-ups", func() {
			done = w.Wait(done[:0], time.Hour)
			w.Wake()
			done = w.Wait(done[:0], -1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, c.cycle); n != 0 {
				t.Errorf("%v allocations, want none", n)
			}
			if len(w.Wait(nil, 0)) != 0 || writing.Err != nil {
				t.Errorf("the cycle left operations in flight, or the Write failed: %v", writing.Err)
			}
		})
	}
}

// A connection holds a buffer only while there are unread bytes, whether they are read or
// dropped.
func TestIdleConnectionsHoldNoBuffers(t *testing.T) {
	const conns, limit = 200, 4096 // limit in bytes per connection, far below the size of a buffer
	for _, reads := range []bool{true, false} {
		w := newWorld(t, virtual.Config{})
		l := w.listen(tcp("127.0.0.1:80"), poll.ListenOptions{})
		data := make([]byte, 1000)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range conns {
			client := w.mustFinish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}, nil).Handle
			server := w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: l}, nil).Accepted
			w.mustFinish(&poll.Op{Kind: poll.Write, Handle: client, Buf: data}, nil)
			if reads {
				w.mustFinish(&poll.Op{Kind: poll.Read, Handle: server, Buf: data}, nil)
			} else {
				server.Close()
			}
		}
		runtime.ReadMemStats(&after)
		if cost := (after.TotalAlloc - before.TotalAlloc) / conns; cost > limit {
			t.Errorf("a used connection costs %d bytes (read: %v), want at most %d", cost, reads, limit)
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	w, client, server := newPair(b)
	data := make([]byte, 64)
	ping := &poll.Op{Kind: poll.Write, Handle: client, Buf: data}
	pong := &poll.Op{Kind: poll.Read, Handle: server, Buf: data}
	done := make([]*poll.Op, 0, 1)
	b.ReportAllocs()
	for b.Loop() {
		w.Submit(pong)
		w.Submit(ping)
		done = w.Wait(done[:0], -1)
	}
}

func BenchmarkConnect(b *testing.B) {
	w := newWorld(b, virtual.Config{})
	l := w.listen(tcp("127.0.0.1:80"), poll.ListenOptions{})
	connect := &poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}
	accept := &poll.Op{Kind: poll.Accept, Handle: l}
	b.ReportAllocs()
	for b.Loop() {
		w.Submit(connect)
		w.Submit(accept)
		connect.Handle.Close()
		accept.Accepted.Close()
	}
}
