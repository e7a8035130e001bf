// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A Timer wakes its Target once, at a time. It is part of what it wakes, so a
// sleep costs no allocation; the zero value with a Target is ready to start. It
// belongs to the loop.
type Timer struct {
	Target Waker

	slot int // index in the heap plus one; 0 means not started
}

// StartTimer has t.Target woken at when, at the earliest. A timer that is
// already started is moved.
func (l *Loop) StartTimer(t *Timer, when time.Time) {
	if t.slot != 0 {
		l.timers.remove(t)
	}
	l.startTimer(t, when.Sub(l.start))
}

func (l *Loop) startTimer(t *Timer, when time.Duration) { l.timers.push(t, when) }

// StopTimer removes t for good and reports whether it was started and had not
// yet woken its target.
func (l *Loop) StopTimer(t *Timer) bool {
	if t.slot == 0 {
		return false
	}
	l.timers.remove(t)
	return true
}

// timerHeap is a heap of four children a node, ordered by time and then by
// start. The keys stand in the heap itself, so that sifting reads one run of
// memory for each level and touches a timer only to tell it its new place. Every
// timer knows its place: a cancelled one leaves at once, and nothing piles up.
type timerHeap struct {
	nodes []timerNode
	seq   uint64 // of the last start
}

type timerNode struct {
	when  time.Duration // since the loop's start
	seq   uint64        // ties are broken by the order of the starts
	timer *Timer
}

func (a *timerNode) before(b *timerNode) bool {
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

func (h *timerHeap) len() int { return len(h.nodes) }

func (h *timerHeap) next() (time.Duration, bool) {
	if len(h.nodes) == 0 {
		return 0, false
	}
	return h.nodes[0].when, true
}

func (h *timerHeap) due(now time.Duration) bool {
	return len(h.nodes) > 0 && h.nodes[0].when <= now
}

func (h *timerHeap) push(t *Timer, when time.Duration) {
	h.seq++
	h.nodes = append(h.nodes, timerNode{})
	h.up(len(h.nodes)-1, timerNode{when, h.seq, t})
}

func (h *timerHeap) pop() *Timer {
	t := h.nodes[0].timer
	h.remove(t)
	return t
}

func (h *timerHeap) remove(t *Timer) {
	i, last := t.slot-1, len(h.nodes)-1
	t.slot = 0
	moved := h.nodes[last]
	h.nodes[last] = timerNode{}
	h.nodes = h.nodes[:last]
	if i == last {
		return
	}
	if i > 0 && moved.before(&h.nodes[(i-1)/4]) {
		h.up(i, moved)
	} else {
		h.down(i, moved)
	}
}

// clear forgets all timers, which may still be stopped.
func (h *timerHeap) clear() {
	for _, n := range h.nodes {
		n.timer.slot = 0
	}
	h.nodes = nil
}

// up places n at i or above.
func (h *timerHeap) up(i int, n timerNode) {
	for i > 0 {
		parent := (i - 1) / 4
		if !n.before(&h.nodes[parent]) {
			break
		}
		h.set(i, h.nodes[parent])
		i = parent
	}
	h.set(i, n)
}

// down places n at i or below.
func (h *timerHeap) down(i int, n timerNode) {
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

func (h *timerHeap) set(i int, n timerNode) {
	h.nodes[i] = n
	n.timer.slot = i + 1
}
