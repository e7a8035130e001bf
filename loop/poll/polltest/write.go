// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"bytes"
	"math/rand/v2"

	"baton/loop/poll"
)

// writeCases move more than any socket buffer holds, so that a Write has to go
// on by itself while others do their work. What arrives is compared byte by
// byte: a poller that loses its place sends a piece twice, or not at all, and
// only then.
var writeCases = []testCase{
	chunked("a byte at a time", 32<<10, func(*rand.Rand) int { return 1 }),
	chunked("seven at a time", 128<<10, func(*rand.Rand) int { return 7 }),
	chunked("a page at a time", 4<<20, func(*rand.Rand) int { return 4096 }),
	chunked("large pieces", 24<<20, func(*rand.Rand) int { return 1 << 20 }),
	chunked("random pieces", 4<<20, func(r *rand.Rand) int { return 1 << r.IntN(17) }),
	{
		name:        "write/vectored",
		explanation: "A Write of several buffers sends their bytes in order, whatever their sizes, and counts them all.",
		run: func(r *rig) {
			for _, sizes := range [][]int{{1}, {3, 0, 4}, {0, 0, 5, 0}, {1, 70000, 1, 300000, 2}, repeat(5, 3000), repeat(2000, 2500)} {
				vectored(r, sizes)
			}
		},
	},
	{
		name:        "write/vectored again",
		explanation: "Each Write of several buffers begins with its own first one, wherever that of before has ended.",
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
		explanation: "A Write that the other side does not read stays in flight, in one piece, and other handles go on.",
		run: func(r *rig) {
			client, server := r.pair()
			other, another := r.pair()
			big := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(16 << 20)}
			r.submit(big)
			// Nobody reads yet, so the large Write holds up whatever it can.
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
		explanation: "A Read and a Write of one handle may be in flight together.",
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

// chunked sends size bytes to a reader with buffers of chunk bytes. A reader
// that is slower than the writer, or faster, or has room for one byte, makes
// the two wait for each other in all the ways there are.
func chunked(name string, size int, chunk func(*rand.Rand) int) testCase {
	return testCase{
		name:        "write/" + name,
		explanation: "A Write finishes when everything is taken, and the reader gets the same bytes in the same order however it cuts them.",
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

// vectored sends buffers of the given sizes. Empty ones may stand anywhere, and
// there may be more than a kernel takes in one call (1024 on most). The elements
// of Bufs are the poller's to change, so the bytes to compare with are copied.
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

// drain reads want from h, while whatever else is in flight goes on. Reading one
// byte too many is wrong as well: nothing may follow.
func drain(r *rig, h poll.Handle, want []byte, chunk func() int) {
	r.t.Helper()
	op := &poll.Op{Kind: poll.Read, Handle: h}
	buf := make([]byte, 1<<20)
	for at := 0; at < len(want); at += op.N {
		op.Buf = buf[:chunk()]
		if r.must(op); op.N == 0 || at+op.N > len(want) || !bytes.Equal(op.Buf[:op.N], want[at:at+op.N]) {
			r.t.Fatalf("wrong bytes in a read of %d at %d of %d", op.N, at, len(want))
		}
	}
}

// pattern makes n bytes whose period is a prime, so that a lost or doubled
// piece shows. Copies of whole periods keep it, and are made faster than bytes.
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

// repeat returns n times size.
func repeat(size, n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}
