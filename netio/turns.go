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
	err   error         // why there will be none; set by dismiss
}

// take waits until it is the turn of r, which calls through view and parks under
// ctx. It may switch. Without an error r has to pass the turn on, however its call
// ends. A turn that came beats a cancel; with an error, that of a cancel or of
// dismiss, the call has not begun. The line has no limit of its own: each place in it
// is that of a task, or of a goroutine that blocks.
func (q *turns) take(ctx context.Context, r *task.Ref, view *netConn) error {
	if q.user == nil {
		q.user = r
		return nil
	}
	t := &turn{turns: q, view: view, task: r}
	t.place = q.waiting.PushBack(t)
	if err := task.Park(ctx, t); err != nil {
		q.waiting.Remove(t.place) // a standard context was cancelled before Park
		return err
	}
	return t.err
}

// pass ends a turn, and begins that of the task that has waited longest, in the
// moment of the call: nobody can come between. It does not switch.
func (q *turns) pass() {
	q.user = nil
	if first := q.waiting.Front(); first != nil {
		t := q.waiting.Remove(first).(*turn)
		q.user = t.task
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
