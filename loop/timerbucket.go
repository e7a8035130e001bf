// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A timerBucket holds timers, in no order until somebody wants to know the first.
// Keys stand in the bucket itself, so that looking for it reads memory in a run,
// and touches a timer only to tell it its new place. Every timer knows its place: a
// cancelled one leaves at once, and nothing piles up.
type timerBucket struct {
	blocks  []*timerBlock // all full but the last
	len     int           // of nodes
	changes int           // since it was empty or scanned last
	order   bucketOrder
}

// A timerNode is a started timer with its key. The key is not in the Timer: that
// is part of something larger, far away from the next one, and a comparison would
// have to fetch both.
type timerNode struct {
	when  time.Duration // since the loop's start
	seq   uint64        // ties are broken by the order of the starts
	timer *Timer
}

// before is the order of wake-ups. It is total, so a replay sees the same one.
func (a *timerNode) before(b *timerNode) bool {
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

// A bucketOrder is what is known about the order of a bucket.
type bucketOrder uint8

const (
	loose bucketOrder = iota // nothing
	led                      // the first is the least
	heap                     // it is a heap of four children a node
)

// at is the node at i, valid until it is moved.
func (b *timerBucket) at(i int) *timerNode {
	return &b.blocks[uint(i)/blockLen][uint(i)%blockLen]
}

// push adds n. An empty bucket is in any order and begins as led, which most
// remain: what is started later is mostly due later. A loose one stays loose, for
// its least may be any of the others.
func (b *timerBucket) push(n timerNode, free *freeBlocks) {
	last := b.len
	if last%blockLen == 0 {
		b.blocks = append(b.blocks, free.take())
	}
	b.len++
	b.changes++
	b.set(last, n)
	switch {
	case last == 0:
		b.order, b.changes = led, 1
	case b.order == heap:
		b.up(last, n)
	case b.order == led && n.before(b.at(0)):
		b.swap(0, last)
	}
}

// remove takes out the node at i. The last one takes its place.
func (b *timerBucket) remove(i int, free *freeBlocks) {
	b.len--
	b.changes++
	last := b.at(b.len)
	if i < b.len {
		b.replace(i, *last)
	}
	last.timer = nil
	if b.len%blockLen == 0 {
		b.drop(free)
	}
}

// replace puts n, which was the last, in the place of the node at i. In a heap
// it belongs there, above or below, never both.
func (b *timerBucket) replace(i int, n timerNode) {
	switch {
	case b.order != heap:
		if i == 0 {
			b.order = loose
		}
		b.set(i, n)
	case i > 0 && n.before(b.at((i-1)/4)):
		b.up(i, n)
	default:
		b.down(i, n)
	}
}

// drop gives the last block away, which has no timers any more. Its place in the
// list is cleared, so that nothing holds a block that is not kept. Nor is the list
// of a burst.
func (b *timerBucket) drop(free *freeBlocks) {
	last := len(b.blocks) - 1
	free.put(b.blocks[last])
	b.blocks[last] = nil
	b.blocks = b.blocks[:last]
	if last == 0 && cap(b.blocks) > keptList {
		b.blocks = nil
	}
}

// perChange is how many nodes a scan may read for each push and each removal
// since the last one. A scan reads memory in a run: 16 nodes cost less than a
// removal from a heap.
const perChange = 16

// least is the first node of a bucket that is not empty. If it was removed, the
// next one is looked for, which must not cost more than the changes before.
// Where they do not pay for a scan, as when the eldest of many timeouts is
// stopped before each poll, the bucket becomes a heap, and remains one until it
// is empty.
func (b *timerBucket) least() *timerNode {
	if b.order == loose {
		if b.len <= perChange*b.changes {
			b.scan()
		} else {
			b.heapify()
		}
	}
	return b.at(0)
}

// scan makes b led. It spends what the changes have paid in.
func (b *timerBucket) scan() {
	least := 0
	for i := range b.len {
		if b.at(i).before(b.at(least)) {
			least = i
		}
	}
	b.swap(0, least)
	b.order, b.changes = led, 0
}

// heapify makes b a heap, from the bottom up, which takes linear time. From there
// on the least costs no search, and a change no more than the depth of the heap:
// changes pay for the one sort, too, since the bucket was filled by as many.
func (b *timerBucket) heapify() {
	for i := (b.len - 2) / 4; i >= 0; i-- {
		b.down(i, *b.at(i))
	}
	b.order = heap
}

// up places n at i or above.
func (b *timerBucket) up(i int, n timerNode) {
	for i > 0 {
		parent := (i - 1) / 4
		if !n.before(b.at(parent)) {
			break
		}
		b.set(i, *b.at(parent))
		i = parent
	}
	b.set(i, n)
}

// down places n at i or below.
func (b *timerBucket) down(i int, n timerNode) {
	for {
		first := 4*i + 1
		if first >= b.len {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, b.len); c++ {
			if b.at(c).before(b.at(least)) {
				least = c
			}
		}
		if !b.at(least).before(&n) {
			break
		}
		b.set(i, *b.at(least))
		i = least
	}
	b.set(i, n)
}

func (b *timerBucket) swap(i, j int) {
	x, y := *b.at(i), *b.at(j)
	b.set(i, y)
	b.set(j, x)
}

// set is the one place that moves a timer within b, so slot is always right.
func (b *timerBucket) set(i int, n timerNode) {
	*b.at(i) = n
	n.timer.slot = uint32(i) + 1
}
