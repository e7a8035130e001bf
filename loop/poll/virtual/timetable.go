// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"time"

	"baton/loop/poll"
)

// A timetable holds the operations that go on by themselves at a known time,
// and those that never will. It is a binary heap by time and then by order of
// entry; Op.Private.State is the place of an operation in entries, plus one, so
// that it can be found again; zero means never. Those are in no list at all: the
// operation knows its place, and Cancel needs no more.
//
// Connects and Lookups stay here while they are under way. Reads and writes take
// no time in this world; they wait for each other, in their conns.
type timetable struct {
	poller  *Poller
	entries []entry
	count   uint64 // entries so far
}

// An entry is an operation and when it goes on, or a function without an operation.
type entry struct {
	at  time.Time
	seq uint64 // breaks ties: what was submitted first happens first
	op  *poll.Op
	fn  func()
}

// before is the order in which entries happen: total, so that a seed replays.
func (e entry) before(other entry) bool {
	if e.at.Equal(other.at) {
		return e.seq < other.seq
	}
	return e.at.Before(other.at)
}

// owner and remove make the timetable a place.
func (t *timetable) owner() *Poller { return t.poller }

// after lets op go on when delay has passed, or never if it is below zero. Then
// only Cancel and Close end it, as with a peer that does not answer.
func (t *timetable) after(delay time.Duration, op *poll.Op) {
	op.Private.Any = t
	op.Private.State = 0
	if delay < 0 {
		return
	}
	t.add(delay, entry{op: op})
}

// call has fn called when delay has passed. It cannot be taken back.
func (t *timetable) call(delay time.Duration, fn func()) { t.add(delay, entry{fn: fn}) }

func (t *timetable) add(delay time.Duration, e entry) {
	t.count++
	e.at, e.seq = t.poller.Now().Add(delay), t.count
	t.entries = append(t.entries, e)
	t.up(len(t.entries) - 1)
}

// next tells when the first entry is due, if there is one: it is as far as a
// Wait may let time pass.
func (t *timetable) next() (time.Time, bool) {
	if len(t.entries) == 0 {
		return time.Time{}, false
	}
	return t.entries[0].at, true
}

// run lets go on what is due at now, in order. What goes on may finish, or wait
// elsewhere (for room in a backlog); nothing comes back here, so this ends.
// Several things may be due at one moment, and all happen before anybody is told
// of the first: the loop sees a moment of this world as a whole.
func (t *timetable) run(now time.Time) {
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

// remove takes op out, from anywhere in the heap: the last entry takes its
// place and moves up or down from there, whichever is right. A cancelled entry
// leaves at once, and does not wait for its time: an operation may be submitted
// again as soon as it is reported, and may be in the table once only.
func (t *timetable) remove(op *poll.Op) {
	if op.Private.State == 0 {
		return
	}
	t.removeAt(int(op.Private.State) - 1)
}

func (t *timetable) removeAt(i int) {
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

// put is the only way into a place of the heap, so that State is always true.
func (t *timetable) put(i int, e entry) {
	t.entries[i] = e
	if e.op != nil {
		e.op.Private.State = uint32(i + 1)
	}
}

// up moves entry i towards the root until its parent is before it, and returns where
// it is then. The entry is held aside and written once, at its place, as in down.
func (t *timetable) up(i int) int {
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
func (t *timetable) down(i int) {
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
