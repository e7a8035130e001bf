// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// A waitList is a list of waiting tasks that are served in the order of their arrival. A
// barrier has one, and a queue has two. Unlike in a task.WaitQueue, each waiter has an
// item: in Put, the item to put; in Get, space for the item to get. So wake passes the item
// at once, and nothing that happens later can lose it. The length is exact even after a
// cancel, before the cancelled task runs.
type waitList[T any] struct {
	_          noCopy
	head, tail *waiter[T]
	len        int
	spare      *waiter[T] // unused waiters, so that waiting rarely allocates
	reason     task.Text  // what the tasks wait for
}

// noCopy makes go vet report copies. Waiting tasks refer only to the original.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// A waiter is the wait of one task. It belongs to the task from join until wait returns,
// although wake and Cancel remove it from the list earlier.
type waiter[T any] struct {
	list       *waitList[T] // nil after the waiter was removed
	task       *task.Ref
	item       T     // the task's item; after wake, the item that wait returns
	err        error // the error that wait returns after wake
	next, prev *waiter[T]
}

// wait waits at the end of the list, and returns the item and error that wake sets. If ctx
// is cancelled, wait returns the caller's item, which no other task has received. r is the
// task of ctx, and has just passed a Checkpoint. wait may switch.
func (l *waitList[T]) wait(ctx context.Context, r *task.Ref, item T, reason task.Text) (T, error) {
	l.mustShareLoop(r, reason)
	l.reason = reason
	w := l.join(r, item)
	err := task.Park(ctx, w)
	if err == nil {
		item, err = w.item, w.err
	}
	*w = waiter[T]{next: l.spare} // clears the item and the task, so that they are not kept alive
	l.spare = w
	return item, err
}

// mustShareLoop panics if r and the waiting tasks belong to different loops.
func (l *waitList[T]) mustShareLoop(r *task.Ref, what task.Text) {
	if l.head != nil {
		mustShareLoop(r, l.head.task, what.Reason())
	}
}

// join adds r to the end of the list.
func (l *waitList[T]) join(r *task.Ref, item T) *waiter[T] {
	w := l.spare
	if w != nil {
		l.spare = w.next
	} else {
		w = new(waiter[T])
	}
	*w = waiter[T]{list: l, task: r, item: item, prev: l.tail}
	if l.tail != nil {
		l.tail.next = w
	} else {
		l.head = w
	}
	l.tail = w
	l.len++
	return w
}

// mustHoldBaton panics if a task waits and the caller may not wake it. Callers call it
// before wake, and before they change anything else.
func (l *waitList[T]) mustHoldBaton(call string) {
	if l.head != nil {
		mustHoldBaton(l.head.task, call)
	}
}

// wake ends the wait of the first task. wait returns item and err there. wake returns the
// item that the task had passed to wait. The caller has called mustHoldBaton.
func (l *waitList[T]) wake(item T, err error) (brought T) {
	w := l.head
	w.leave()
	brought, w.item, w.err = w.item, item, err
	w.task.Wake()
	return brought
}

// leave removes the waiter from its list in constant time.
func (w *waiter[T]) leave() {
	l := w.list
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.tail = w.prev
	}
	l.len--
	w.list, w.next, w.prev = nil, nil, nil
}

// Cancel removes the waiter from the list and ends its wait at once. It makes a waiter a
// task.Waiter.
func (w *waiter[T]) Cancel(*task.Ref) bool {
	w.leave()
	return true
}

func (w *waiter[T]) Reason() string      { return w.list.reason.Reason() }
func (w *waiter[T]) Owners() []*task.Ref { return nil }
