// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A timerHeap is a heap of the started timers, with four children a node. Every
// timer knows its place, so a stopped one leaves at once.
type timerHeap struct {
	nodes []timerNode
	seq   uint64 // of the last start
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

func (h *timerHeap) empty() bool { return len(h.nodes) == 0 }

// start has t due at when. If t is started it moves.
func (h *timerHeap) start(t *Timer, when time.Duration) {
	h.seq++
	if t.slot == 0 {
		h.nodes = append(h.nodes, timerNode{})
		t.slot = uint32(len(h.nodes))
	}
	h.put(int(t.slot)-1, timerNode{when, h.seq, t})
}

// remove takes out t, which is started. The last node takes its place.
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

// keptNodes is how many nodes the heap keeps memory for when it is empty: 24 KiB.
const keptNodes = 1024

// shrink gives back half of the memory when three quarters of it are not in use.
func (h *timerHeap) shrink() {
	if c := cap(h.nodes); c > keptNodes && len(h.nodes) <= c/4 {
		h.nodes = append(make([]timerNode, 0, c/2), h.nodes...)
	}
}

// next is when the first timer is due, if there is one.
func (h *timerHeap) next() (time.Duration, bool) {
	if h.empty() {
		return 0, false
	}
	return h.nodes[0].when, true
}

// pop takes out the first timer if it is due at now, and otherwise returns nil.
func (h *timerHeap) pop(now time.Duration) *Timer {
	if h.empty() || h.nodes[0].when > now {
		return nil
	}
	t := h.nodes[0].timer
	h.remove(t)
	return t
}

// put places n at i, where a gap is, or where the order wants it above or below.
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

// set is the one place that moves a timer, so slot is always right.
func (h *timerHeap) set(i int, n timerNode) {
	h.nodes[i] = n
	n.timer.slot = uint32(i) + 1
}

// clear forgets all timers, which may still be stopped.
func (h *timerHeap) clear() {
	for _, n := range h.nodes {
		n.timer.slot = 0
	}
	h.nodes = nil
}
