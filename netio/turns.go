// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"container/list"
	"context"

	"baton/task"
)

// turns has the calls that net.Conns make in one direction of a stream take
// turns, in the order in which they came: who uses a net.Conn expects that two
// writers get their bytes through in one piece each, as in package net. It
// belongs to the loop.
//
// A call that waits for its turn has no timeout of its own. The deadlines of a
// net.Conn are the stream's, so the call whose turn it is ends with them, and each
// of the others finds them passed when its turn comes.
type turns struct {
	half    *half
	user    *task.Ref // whose turn it is
	waiting list.List // of *turn
}

// A turn is what a call waits for. It is a task.Waiter.
type turn struct {
	turns *turns
	place *list.Element // in turns.waiting
	view  *netConn      // through which the call came
	task  *task.Ref     // who waits
	begun bool          // pass has made the task the user of the half
	err   error         // why there will be none; set by dismiss
}

// take waits until it is the turn of r, which calls through view and parks under
// ctx, and makes r the user of the half. It may switch. Without an error r has to
// pass both on, however its call ends. A turn that came beats a cancel; with an
// error, that of a cancel, of dismiss or of begin, the call has not begun. The line
// has no limit of its own: each place in it is that of a task, or of a goroutine
// that blocks.
func (q *turns) take(ctx context.Context, r *task.Ref, view *netConn) error {
	if q.user == nil {
		q.user = r
		return q.begin(r)
	}
	t := &turn{turns: q, view: view, task: r}
	t.place = q.waiting.PushBack(t)
	if err := task.Park(ctx, t); err != nil {
		return err
	}
	if t.err != nil || t.begun {
		return t.err
	}
	return q.begin(r)
}

// begin makes r, whose turn it is, the user of the half. If a call of the stream
// itself is at work there, the turn is over.
func (q *turns) begin(r *task.Ref) error {
	if err := q.half.stream.begin(q.half, r); err != nil {
		q.next()
		return err
	}
	return nil
}

// pass ends the turn of the half's user, and begins that of the task that has
// waited longest, in the moment of the call, half included: nobody can come
// between, not even a call of the stream itself. It does not switch.
func (q *turns) pass() {
	q.half.release()
	q.next()
}

// next gives the turn to the task that has waited longest, and the half with it
// unless a call of the stream itself has that: whether the call is done by the time
// the task runs, take finds out. It does not switch.
func (q *turns) next() {
	q.user = nil
	if first := q.waiting.Front(); first != nil {
		t := q.waiting.Remove(first).(*turn)
		q.user = t.task
		if q.half.user == nil {
			q.half.user, t.begun = t.task, true
		}
		t.task.Wake()
	}
}

// dismiss ends the waits of all calls through view with err. The call whose turn it
// is goes on, and so do the waits of others. It does not switch.
func (q *turns) dismiss(view *netConn, err error) {
	for at := q.waiting.Front(); at != nil; {
		t := at.Value.(*turn)
		at = at.Next()
		if t.view == view {
			t.err = err
			q.waiting.Remove(t.place)
			t.task.Wake()
		}
	}
}

// Cancel takes the call out of the line, at once: it has not begun.
func (t *turn) Cancel(*task.Ref) bool {
	t.turns.waiting.Remove(t.place)
	return true
}

// Reason and Owners tell reports what a call waits for, and on whom first.
func (t *turn) Reason() string      { return "its turn, and then " + t.turns.half.Reason() }
func (t *turn) Owners() []*task.Ref { return []*task.Ref{t.turns.user} }
