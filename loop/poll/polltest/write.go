// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"bytes"
	"math/rand/v2"

	"baton/loop/poll"
)

// writeCases write more than a socket buffer holds, so that a Write must continue while other
// operations run. They compare every byte: a poller that makes a mistake sends some bytes
// twice, or not at all.
var writeCases = []testCase{
	chunked("a byte at a time", 32<<10, func(*rand.Rand) int { return 1 }),
	chunked("seven at a time", 128<<10, func(*rand.Rand) int { return 7 }),
	chunked("a page at a time", 4<<20, func(*rand.Rand) int { return 4096 }),
	chunked("large pieces", 24<<20, func(*rand.Rand) int { return 1 << 20 }),
	chunked("random pieces", 4<<20, func(r *rand.Rand) int { return 1 << r.IntN(17) }),
	{
		name:        "write/vectored",
		explanation: "A Write of several buffers sends their bytes in order, whatever their sizes, and N counts all of them.",
		run: func(r *rig) {
			for _, sizes := range [][]int{{1}, {3, 0, 4}, {0, 0, 5, 0}, {1, 70000, 1, 300000, 2}, repeat(5, 3000), repeat(2000, 2500)} {
				vectored(r, sizes)
			}
		},
	},
	{
		name:        "write/vectored again",
		explanation: "Each Write of several buffers begins with its first buffer, wherever the last Write has ended.",
		run: func(r *rig) {
			client, server := r.pair()
			for range 2 {
				op := &poll.Op{Kind: poll.Write, Handle: client, Bufs: [][]byte{[]byte("one "), []byte("two "), []byte("three")}}
				r.submit(op)
				r.finish(op)
				if op.N != len("one two three") {
					r.t.Fatalf("wrote %d bytes, error %v", op.N, op.Err)
				}
				r.hear(server, "one two three")
			}
		},
	},
	{
		name:        "write/back pressure",
		explanation: "A Write that the peer does not read stays in flight, and other handles continue.",
		run: func(r *rig) {
			client, server := r.pair()
			other, another := r.pair()
			big := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(16 << 20)}
			r.submit(big)
			// The peer does not read yet, so the large Write blocks whatever it can.
			for range 20 {
				r.say(other, "meanwhile")
				r.hear(another, "meanwhile")
			}
			drain(r, server, big.Buf, func() int { return 1 << 20 })
			r.finish(big)
			if big.Err != nil || big.N != len(big.Buf) {
				r.t.Errorf("wrote %d of %d bytes, error %v", big.N, len(big.Buf), big.Err)
			}
		},
	},
	{
		name:        "write/both directions",
		explanation: "A Read and a Write of one handle may be in flight at the same time.",
		run: func(r *rig) {
			client, server := r.pair()
			out := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(8 << 20)}
			in := read(client, 16)
			r.submit(in)
			r.submit(out)
			r.say(server, "crossing")
			r.finish(in)
			if string(in.Buf[:in.N]) != "crossing" {
				r.t.Errorf("read %q", in.Buf[:in.N])
			}
			drain(r, server, out.Buf, func() int { return 100000 })
			r.finish(out)
		},
	},
}

// chunked returns a case that sends size bytes to a reader with buffers of chunk bytes. A
// reader that is slower or faster than the writer, or reads single bytes, makes the two wait
// for each other in many ways.
func chunked(name string, size int, chunk func(*rand.Rand) int) testCase {
	return testCase{
		name:        "write/" + name,
		explanation: "A Write completes when everything is written, and the reader gets the same bytes in the same order, whatever the sizes of its buffers are.",
		run: func(r *rig) {
			random := r.random()
			client, server := r.pair()
			op := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(size)}
			r.submit(op)
			drain(r, server, op.Buf, func() int { return chunk(random) })
			r.finish(op)
			if op.Err != nil || op.N != size {
				r.t.Errorf("wrote %d of %d bytes, error %v", op.N, size, op.Err)
			}
		},
	}
}

// vectored sends buffers of the given sizes. Some may be empty, and there may be more than a
// kernel takes in one call (1024 on most systems). The poller may change the elements of Bufs,
// so the case compares with a copy.
func vectored(r *rig, sizes []int) {
	r.t.Helper()
	total := 0
	for _, size := range sizes {
		total += size
	}
	want := pattern(total)
	op := &poll.Op{Kind: poll.Write}
	rest := bytes.Clone(want)
	for _, size := range sizes {
		op.Bufs = append(op.Bufs, rest[:size:size])
		rest = rest[size:]
	}
	client, server := r.pair()
	op.Handle = client
	r.submit(op)
	drain(r, server, want, func() int { return 64 << 10 })
	r.finish(op)
	if op.Err != nil || op.N != total {
		r.t.Errorf("%d buffers: wrote %d of %d bytes, error %v", len(sizes), op.N, total, op.Err)
	}
	r.ok("Close", client.Close())
	r.ok("Close", server.Close())
}

// drain reads exactly the bytes want from h, while other operations are in flight.
func drain(r *rig, h poll.Handle, want []byte, chunk func() int) {
	r.t.Helper()
	op := &poll.Op{Kind: poll.Read, Handle: h}
	buf := make([]byte, 1<<20)
	for at := 0; at < len(want); at += op.N {
		op.Buf = buf[:chunk()]
		if r.must(op); op.N == 0 || at+op.N > len(want) || !bytes.Equal(op.Buf[:op.N], want[at:at+op.N]) {
			r.t.Fatalf("a Read of %d bytes at offset %d of %d has wrong bytes", op.N, at, len(want))
		}
	}
}

// pattern returns n bytes whose period is a prime, so that a lost or repeated piece is visible.
// It copies whole periods, which is fast.
func pattern(n int) []byte {
	const period = 251
	b := make([]byte, n)
	for i := range min(n, period) {
		b[i] = byte(i)
	}
	for done := period; done < n; done *= 2 {
		copy(b[done:], b[:done])
	}
	return b
}

// repeat returns a slice of n elements with the value size.
func repeat(size, n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}
