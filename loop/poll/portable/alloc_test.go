// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

// Reads and writes do not allocate, however many buffers they have.
func TestReadsAndWritesDoNotAllocate(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	data, spare := make([]byte, 64), make([]byte, 64)
	writing := &poll.Op{Kind: poll.Write, Handle: client}
	reading := &poll.Op{Kind: poll.Read, Handle: server, Buf: spare}
	bufs := make([][]byte, 2)
	done := make([]*poll.Op, 0, 2)
	for name, prepare := range map[string]func(){
		"one buffer":  func() { writing.Buf, writing.Bufs = data, nil },
		"two buffers": func() { bufs[0], bufs[1] = data[:10], data[10:]; writing.Buf, writing.Bufs = nil, bufs },
	} {
		n := testing.AllocsPerRun(100, func() {
			prepare()
			r.Submit(reading)
			r.Submit(writing)
			for left := 2; left > 0; left -= len(done) {
				done = r.Wait(done[:0], hangLimit)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

// BenchmarkEcho sends one byte over loopback and back, with two operations on each end.
func BenchmarkEcho(b *testing.B) {
	r := newRig(b, portable.Config{})
	client, server := r.pair(loopback)
	data := make([]byte, 1)
	ends := []poll.Handle{client, server}
	writing := &poll.Op{Kind: poll.Write, Buf: data}
	reading := &poll.Op{Kind: poll.Read, Buf: data}
	done := make([]*poll.Op, 0, 2)
	b.ReportAllocs()
	for b.Loop() {
		for i := range ends {
			writing.Handle, reading.Handle = ends[i], ends[1-i]
			r.Submit(reading)
			r.Submit(writing)
			for left := 2; left > 0; left -= len(done) {
				done = r.Wait(done[:0], -1)
			}
		}
	}
}
