// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// A seat is a direction of a socket, which one call has at a time.
type slot interface {
	// at is where the user of the direction is kept: the task whose call it is.
	userField() **task.Ref
	// enter makes r, which is running, the user.
	enter(r *task.Ref) error
	// release ends the call of the user.
	release()
	// Reason says what the user waits for.
	Reason() string
}

// turns has the calls that net.Conns make in one direction of a socket take
// turns, in the order in which they came: users of a net.Conn expect that two
// writers get their bytes through in one piece each, as in package net. It
// belongs to the loop.
//
// A call that waits for its turn has no timeout of its own. The deadlines of a
// net.Conn are the socket's, so the call whose turn it is ends with them, and each
// of the others finds them passed when its turn comes.
type callQueue struct {
	slot    slot
	user    *task.Ref // whose turn it is
	waiting task.WaitQueue
}

// take waits until it is the turn of r, which waits under ctx, and makes r the user
// of the half. It may switch. If it returns nil, r has to call pass, however its call
// ends; if it returns an error, of a cancel or of begin, the call has not begun. A
// turn that came beats a cancel. The line has no limit of its own: each place in it
// is that of a task.
func (q *callQueue) acquire(ctx context.Context, r *task.Ref) error {
	if q.user == nil {
		q.user = r
	} else if err := q.waiting.Wait(ctx, q); err != nil {
		return err
	}
	if *q.slot.userField() == r {
		return nil // next has begun
	}
	if err := q.slot.enter(r); err != nil {
		q.wakeNext()
		return err
	}
	return nil
}

// pass ends the turn of the half's user, and begins that of the task that has
// waited longest, in the moment of the call, half included: no other call can come
// between, not even one of the socket itself. It does not switch.
func (q *callQueue) release() {
	q.slot.release()
	q.wakeNext()
}

// next gives the turn to the task that has waited longest, and the half with it
// unless a call of the socket itself has that: whether the call is done by the time
// the task runs, take finds out. It does not switch.
func (q *callQueue) wakeNext() {
	if q.user = q.waiting.WakeOne(); *q.slot.userField() == nil {
		*q.slot.userField() = q.user
	}
}

// Reason and Owners say in reports what a call waits for, and whose turn it is.
func (q *callQueue) Reason() string      { return "its turn, and then " + q.slot.Reason() }
func (q *callQueue) Owners() []*task.Ref { return []*task.Ref{q.user} }
