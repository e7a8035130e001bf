// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// A slot is a direction of a socket, which one call uses at a time.
type slot interface {
	// userField returns the field for the user: the task whose call uses the slot.
	userField() **task.Ref
	// enter makes r, which is running, the user.
	enter(r *task.Ref) error
	// release ends the call of the user.
	release()
	// Reason says what the user waits for.
	Reason() string
}

// A callQueue runs the calls of all net.Conns of a socket one after another, in one
// direction and in the order of their arrival. So the bytes of two concurrent writers do
// not mix, as in package net. A callQueue belongs to the loop.
//
// A queued call has no timeout of its own. Deadlines of a net.Conn are the socket's: they
// end the call that uses the slot, and each later call fails when it gets the slot.
type callQueue struct {
	slot    slot
	user    *task.Ref // the task whose call is next or running
	waiting task.WaitQueue
}

// acquire waits until r is first in the queue, under ctx, and makes r the user of the slot.
// It may switch. If it returns nil, r must call release, however its call ends. If it
// returns an error, of a cancel or of enter, the call has not begun. If r is first by then,
// a cancel does not count. The queue has no limit: each entry is a task's.
func (q *callQueue) acquire(ctx context.Context, r *task.Ref) error {
	if q.user == nil {
		q.user = r
	} else if err := q.waiting.Wait(ctx, q); err != nil {
		return err
	}
	if *q.slot.userField() == r {
		return nil // wakeNext has made r the user
	}
	if err := q.slot.enter(r); err != nil {
		q.wakeNext()
		return err
	}
	return nil
}

// release ends the call of the slot's user, and gives the slot to the task that has waited
// longest. It does both at once, so no other call can come between, not even one of the
// socket itself. It does not switch.
func (q *callQueue) release() {
	q.slot.release()
	q.wakeNext()
}

// wakeNext wakes the task that has waited longest, and makes it the user of the slot,
// unless a call of the socket itself uses the slot: acquire checks that when the task runs.
// It does not switch.
func (q *callQueue) wakeNext() {
	if q.user = q.waiting.WakeOne(); *q.slot.userField() == nil {
		*q.slot.userField() = q.user
	}
}

// Reason says what a queued call waits for.
func (q *callQueue) Reason() string {
	return "the calls before it, and then " + q.slot.Reason()
}

// Owners returns the task that uses the slot.
func (q *callQueue) Owners() []*task.Ref { return []*task.Ref{q.user} }
