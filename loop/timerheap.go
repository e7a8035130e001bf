// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A timerHeap is a heap of the started timers; each node has four children. Every timer
// knows its index, so that a stopped timer is removed at once.
type timerHeap struct {
	nodes []timerNode
	seq   uint64 // of the last start
}

// A timerNode is a started timer with its sort key. The key is not in the Timer, because
// Timers are spread over memory: each comparison would fetch two of them.
type timerNode struct {
	when  time.Duration // since the loop's start
	seq   uint64        // orders timers with the same time by their start
	timer *Timer
}

// before is the order in which timers fire. The order is total, so that a replay fires them
// in the same order.
func (a *timerNode) before(b *timerNode) bool {
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

func (h *timerHeap) empty() bool { return len(h.nodes) == 0 }

// start adds t with the time when, or moves t if it is already started.
func (h *timerHeap) start(t *Timer, when time.Duration) {
	h.seq++
	if t.slot == 0 {
		h.nodes = append(h.nodes, timerNode{})
		t.slot = uint32(len(h.nodes))
	}
	h.put(int(t.slot)-1, timerNode{when, h.seq, t})
}

// remove removes t, which must be started. The last node fills the gap.
func (h *timerHeap) remove(t *Timer) {
	i, last := int(t.slot)-1, len(h.nodes)-1
	t.slot = 0
	n := h.nodes[last]
	h.nodes[last].timer = nil
	h.nodes = h.nodes[:last]
	if i < last {
		h.put(i, n)
	}
	h.shrink()
}

// keptNodes is the capacity that an empty heap keeps: 24 KiB.
const keptNodes = 1024

// shrink halves the capacity when only a quarter of it is in use.
func (h *timerHeap) shrink() {
	if c := cap(h.nodes); c > keptNodes && len(h.nodes) <= c/4 {
		h.nodes = append(make([]timerNode, 0, c/2), h.nodes...)
	}
}

// next returns when the first timer is due. It returns false if the heap is empty.
func (h *timerHeap) next() (time.Duration, bool) {
	if h.empty() {
		return 0, false
	}
	return h.nodes[0].when, true
}

// pop removes and returns the first timer if it is due at now. Otherwise pop returns nil.
func (h *timerHeap) pop(now time.Duration) *Timer {
	if h.empty() || h.nodes[0].when > now {
		return nil
	}
	t := h.nodes[0].timer
	h.remove(t)
	return t
}

// put places n, starting at the gap i and moving it up or down as the order requires.
func (h *timerHeap) put(i int, n timerNode) {
	for i > 0 {
		parent := (i - 1) / 4
		if !n.before(&h.nodes[parent]) {
			break
		}
		h.set(i, h.nodes[parent])
		i = parent
	}
	for {
		first := 4*i + 1
		if first >= len(h.nodes) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(h.nodes)); c++ {
			if h.nodes[c].before(&h.nodes[least]) {
				least = c
			}
		}
		if !h.nodes[least].before(&n) {
			break
		}
		h.set(i, h.nodes[least])
		i = least
	}
	h.set(i, n)
}

// set stores n at index i. All moves go through set, so slot is always correct.
func (h *timerHeap) set(i int, n timerNode) {
	h.nodes[i] = n
	n.timer.slot = uint32(i) + 1
}

// clear removes all timers. StopTimer may still be called for them.
func (h *timerHeap) clear() {
	for _, n := range h.nodes {
		n.timer.slot = 0
	}
	h.nodes = nil
}
