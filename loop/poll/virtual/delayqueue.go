// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"time"

	"baton/loop/poll"
)

// A delayQueue holds the operations that continue at a known time, and those that never
// continue. It is a binary heap, ordered by time and then by order of entry. Op.Private.State
// is the index of an operation in entries, plus one, so that remove finds it. State 0 means
// that the operation never continues and is not in entries.
//
// Delayed Connects and Lookups are in the queue. Reads and writes take no time in this world;
// they wait for each other in their conns.
type delayQueue struct {
	poller  *Poller
	entries []entry
	count   uint64 // number of entries ever added
}

// An entry is an operation or a function, and the time at which it continues.
type entry struct {
	at  time.Time
	seq uint64 // order of submission; decides between equal times
	op  *poll.Op
	fn  func()
}

// before reports whether e happens before other. The order is total, so that a seed can be
// replayed.
func (e entry) before(other entry) bool {
	if e.at.Equal(other.at) {
		return e.seq < other.seq
	}
	return e.at.Before(other.at)
}

// owner implements location.
func (t *delayQueue) owner() *Poller { return t.poller }

// after makes op continue when delay has passed. If delay is negative, op never continues: only
// Cancel and Close end it, as with a peer that does not respond.
func (t *delayQueue) after(delay time.Duration, op *poll.Op) {
	op.Private.Any = t
	op.Private.State = 0
	if delay < 0 {
		return
	}
	t.add(delay, entry{op: op})
}

// call calls fn when delay has passed. It cannot be cancelled.
func (t *delayQueue) call(delay time.Duration, fn func()) { t.add(delay, entry{fn: fn}) }

func (t *delayQueue) add(delay time.Duration, e entry) {
	t.count++
	e.at, e.seq = t.poller.Now().Add(delay), t.count
	t.entries = append(t.entries, e)
	t.up(len(t.entries) - 1)
}

// next returns the time of the first entry, if there is one. A Wait must not advance the clock
// beyond it.
func (t *delayQueue) next() (time.Time, bool) {
	if len(t.entries) == 0 {
		return time.Time{}, false
	}
	return t.entries[0].at, true
}

// run runs the entries that are due at now, in order. An operation may then complete, or wait in
// another location, but it never comes back to this queue, so run returns. All entries of one
// moment run before Wait reports the first operation.
func (t *delayQueue) run(now time.Time) {
	for len(t.entries) > 0 && !t.entries[0].at.After(now) {
		op, fn := t.entries[0].op, t.entries[0].fn
		t.removeAt(0)
		if fn != nil {
			fn()
			continue
		}
		switch op.Kind {
		case poll.Connect:
			t.poller.connect(op)
		case poll.Lookup:
			t.poller.resolve(op)
		}
	}
}

// remove implements location. It removes op from any position of the heap: the last entry takes
// its position and moves up or down. It must not leave a cancelled entry until its time: the
// operation may be submitted again as soon as it is reported, and may be in the queue only
// once.
func (t *delayQueue) remove(op *poll.Op) {
	if op.Private.State == 0 {
		return
	}
	t.removeAt(int(op.Private.State) - 1)
}

func (t *delayQueue) removeAt(i int) {
	last := len(t.entries) - 1
	if op := t.entries[i].op; op != nil {
		op.Private.State = 0
	}
	moved := t.entries[last]
	t.entries[last] = entry{}
	t.entries = t.entries[:last]
	if i == last {
		return
	}
	t.put(i, moved)
	t.down(t.up(i))
}

// put stores e at index i and updates State. All code that stores an entry uses it.
func (t *delayQueue) put(i int, e entry) {
	t.entries[i] = e
	if e.op != nil {
		e.op.Private.State = uint32(i + 1)
	}
}

// up moves entry i towards the root until its parent is before it, and returns its new index.
// Up and down store the entry only once, at its final index.
func (t *delayQueue) up(i int) int {
	e := t.entries[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(t.entries[parent]) {
			break
		}
		t.put(i, t.entries[parent])
		i = parent
	}
	t.put(i, e)
	return i
}

// down moves entry i towards the leaves until it is before its children.
func (t *delayQueue) down(i int) {
	e := t.entries[i]
	for {
		child := 2*i + 1
		if child >= len(t.entries) {
			break
		}
		if right := child + 1; right < len(t.entries) && t.entries[right].before(t.entries[child]) {
			child = right
		}
		if !t.entries[child].before(e) {
			break
		}
		t.put(i, t.entries[child])
		i = child
	}
	t.put(i, e)
}
