// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"math/bits"
	"time"
	"unsafe"

	"baton/internal/prefetch"
)

// A timerQueue is a radix queue: timers stand in buckets by how far away they
// are, and are sorted only when their time comes near. Most timers of a server
// are timeouts that are stopped long before; those are appended and taken out
// again, and nobody ever compares them.
//
// The base is the time of the last poll. Bucket 0 holds what is due then, and
// bucket b the timers whose time differs from the base in bit b-1 and in no
// higher one. So b covers the times from 2^(b-1) on, 2^(b-1) of them, counted
// from the base with its b low bits cleared: buckets do not overlap, and a lower
// one is always earlier.
type timerQueue struct {
	base     time.Duration // since the loop's start; never goes back
	seq      uint64        // of the last start
	occupied uint64        // bit b: bucket b is not empty
	buckets  [64]timerBucket
	free     freeBlocks // of all buckets
}

func (q *timerQueue) empty() bool { return q.occupied == 0 }

// push starts t, which is not started.
func (q *timerQueue) push(t *Timer, when time.Duration) {
	q.seq++
	q.place(timerNode{when, q.seq, t})
}

// place puts n where it belongs as of the base.
func (q *timerQueue) place(n timerNode) {
	b := q.bucket(n.when)
	n.timer.bucket = uint8(b)
	q.occupied |= 1 << b
	q.buckets[b].push(n, &q.free)
}

// bucket is where a time belongs as of the base.
func (q *timerQueue) bucket(when time.Duration) int {
	if when <= q.base {
		return 0
	}
	return bits.Len64(uint64(when ^ q.base))
}

// remove takes out t, which is started.
func (q *timerQueue) remove(t *Timer) {
	b := &q.buckets[t.bucket]
	b.remove(int(t.slot)-1, &q.free)
	if b.len == 0 {
		q.occupied &^= 1 << t.bucket
	}
	t.slot = 0
}

// next is when the first timer is due, if there is one.
func (q *timerQueue) next() (time.Duration, bool) {
	if q.occupied == 0 {
		return 0, false
	}
	return q.buckets[bits.TrailingZeros64(q.occupied)].least().when, true
}

// pop takes out the first timer that is due as of the base, or returns nil.
func (q *timerQueue) pop() *Timer {
	if q.occupied&1 == 0 {
		return nil
	}
	t := q.buckets[0].least().timer
	q.remove(t)
	return t
}

// advance makes now the base, and moves what belongs elsewhere as of the new
// one. Let k be now's own bucket as of the old base: k-1 is the highest bit in
// which the two bases differ. A timer above k differs from both in the same
// highest bit, so it stays. One in k has that bit in common with now, and all
// above it: it becomes due, or goes to a lower bucket. One below k is earlier
// than k's first, hence due. So timers only ever move down, less than 64 times,
// in practice a few.
//
// The base never overtakes the clock: what is started later would else stand in
// bucket 0, and sorting would be back.
func (q *timerQueue) advance(now time.Duration) {
	if now <= q.base {
		return
	}
	k := q.bucket(now)
	q.base = now
	const due = 1
	for moving := q.occupied & (2<<k - 1) &^ due; moving != 0; moving &= moving - 1 {
		b := bits.TrailingZeros64(moving)
		q.occupied &^= 1 << b
		q.spill(&q.buckets[b])
	}
}

// ahead is how many nodes before its own the memory of a timer is asked for: each
// is told its new place, and they lie anywhere.
const ahead = 16

// spill empties b, whose timers all go elsewhere, from the last on.
func (q *timerQueue) spill(b *timerBucket) {
	for b.len > 0 {
		block := b.blocks[len(b.blocks)-1]
		nodes := block[:(b.len-1)%blockLen+1]
		for i := range nodes {
			if i+ahead < len(nodes) {
				prefetch.Line(uintptr(unsafe.Pointer(nodes[i+ahead].timer)))
			}
			q.place(nodes[i])
		}
		b.len = (b.len - 1) / blockLen * blockLen
		clear(nodes)
		b.drop(&q.free)
	}
}

// clear forgets all timers, which may still be stopped.
func (q *timerQueue) clear() {
	for b := range q.buckets {
		for i := range q.buckets[b].len {
			q.buckets[b].at(i).timer.slot = 0
		}
	}
	*q = timerQueue{}
}
