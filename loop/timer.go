// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A Timer wakes its Target once, at a time. It is part of what it wakes, so a
// sleep costs no allocation; the zero value with a Target is ready to start,
// and one that has fired may be started again. It belongs to the loop, and must
// not be copied while it is started.
type Timer struct {
	Target Waker

	slot int // index in the heap plus one; 0 means not started
}

// StartTimer has t.Target woken at when, at the earliest; a time that has
// passed is the next poll. A timer that is already started is moved, and counts
// as started now among those of the same time. Nothing is checked, for this is
// the way of every sleep: the caller holds the baton.
func (l *Loop) StartTimer(t *Timer, when time.Time) {
	if t.slot != 0 {
		l.timers.remove(t)
	}
	l.startTimer(t, when.Sub(l.start))
}

// startTimer is StartTimer for times since the loop's start, and for a timer
// that is not started.
func (l *Loop) startTimer(t *Timer, when time.Duration) { l.timers.push(t, when) }

// StopTimer removes t for good and reports whether it was started and had not
// yet woken its target. The caller holds the baton.
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
//
// Most timers of a server are timeouts that never come, so stopping is as
// common as starting. A wheel would be cheaper for both, but its ticks would
// make timers late and round the order.
type timerHeap struct {
	nodes []timerNode
	seq   uint64 // of the last start
}

type timerNode struct {
	when  time.Duration // since the loop's start
	seq   uint64        // ties are broken by the order of the starts
	timer *Timer
}

// before is the order of wake-ups. It is total, so a replay sees the same one.
func (a *timerNode) before(b *timerNode) bool {
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

func (h *timerHeap) len() int { return len(h.nodes) }

// next is when the first timer is due, if there is one.
func (h *timerHeap) next() (time.Duration, bool) {
	if len(h.nodes) == 0 {
		return 0, false
	}
	return h.nodes[0].when, true
}

func (h *timerHeap) due(now time.Duration) bool {
	return len(h.nodes) > 0 && h.nodes[0].when <= now
}

// push starts t, which is not started.
func (h *timerHeap) push(t *Timer, when time.Duration) {
	h.seq++
	h.nodes = append(h.nodes, timerNode{})
	h.up(len(h.nodes)-1, timerNode{when, h.seq, t})
}

// pop takes out the first timer; there is one.
func (h *timerHeap) pop() *Timer {
	t := h.nodes[0].timer
	h.remove(t)
	return t
}

// remove takes t out. The last node takes its place, and then belongs above or
// below it, never both.
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

// set is the one place that moves a timer, so slot is always right.
func (h *timerHeap) set(i int, n timerNode) {
	h.nodes[i] = n
	n.timer.slot = i + 1
}
