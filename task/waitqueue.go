// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
)

// A WaitQueue is a queue of parked tasks. Locks and other primitives use it to let tasks
// wait for other tasks. Tasks are woken in the order of their arrival, and waiting does
// not allocate. The zero value is an empty queue. A WaitQueue must not be copied after
// first use.
//
// It belongs to the loop of its waiters: only tasks and callbacks of that loop may call
// its methods. Only Wait switches. Trio calls it a ParkingLot.
type WaitQueue struct {
	_    noCopy
	line taskList
	why  Reason // of the last task that waited; nil before the first
}

// noCopy makes go vet report copies of the struct that contains it: only the original
// would have the waiting tasks.
type noCopy struct{}

func (*noCopy) Lock() {}

func (*noCopy) Unlock() {}

// Wait parks the calling task at the end of the queue until it is woken, and then returns
// nil. If ctx is cancelled first, the task leaves the queue and Wait returns the
// *Canceled, so a wake-up is never lost on a cancelled task. why is for reports; all
// waiters of a queue should pass the same. Wait always parks: the caller checks first
// whether it has to wait.
func (q *WaitQueue) Wait(ctx context.Context, why Reason) error {
	n, ok := ctx.(*node)
	if !ok {
		return q.waitForeign(ctx, why)
	}
	r := n.ref
	if !r.b.word.Held() || r.b.cur != r {
		panicWrongCaller(n)
	}
	if n.current != nil {
		return r.endCanceled(n.current)
	}
	q.join(r, why)
	r.parkOn(n, q)
	// This is r.park, inlined by hand to save a return: see relay.Worker.Leave.
	r.b.cur = nil
	if way, ok := r.worker.Leave(); ok {
		switch {
		case way.Next != nil:
			way.Next()
		case way.Yield != nil:
			way.Yield(struct{}{})
		default:
			<-way.Ch
		}
		r.worker.Back()
	}
	r.b.hold(r)
	return r.unparked()
}

// waitForeign is Wait for a context of the standard library.
func (q *WaitQueue) waitForeign(ctx context.Context, why Reason) error {
	n := enter(ctx)
	if c := n.interrupted(ctx); c != nil {
		return n.ref.endCanceled(c)
	}
	q.join(n.ref, why)
	return n.ref.wait(ctx, n, q)
}

// join puts r at the end of the queue. It panics if the waiting tasks have another loop.
func (q *WaitQueue) join(r *Ref, why Reason) {
	if q.line.head != nil && q.line.head.b != r.b {
		q.panicOtherLoop(r, why)
	}
	q.why = why
	q.line.push(r)
}

// panicOtherLoop panics because r and the waiting tasks have different loops.
func (q *WaitQueue) panicOtherLoop(r *Ref, why Reason) {
	misuse("%v of %v waits for %s in the same queue as %v of %v; use a task.Portal between loops",
		r, r.b.loop, why.Reason(), q.line.head, q.line.head.b.loop)
}

// WakeOne wakes the first task of the queue and returns it, or nil if the queue is empty.
// The task runs in the loop's next turn, and its Wait returns nil, even if the task is
// cancelled before that. So the caller can give it what it waits for right away, such as a
// lock.
func (q *WaitQueue) WakeOne() *Ref {
	r := q.line.head
	if r == nil {
		return nil
	}
	if !r.b.word.Held() {
		r.held("WaitQueue.WakeOne")
	}
	q.line.pop()
	r.ready()
	return r
}

// WakeAll wakes all waiting tasks, in order, and returns their number.
func (q *WaitQueue) WakeAll() int {
	if r := q.line.head; r != nil {
		r.held("WaitQueue.WakeAll")
	}
	return q.line.wakeAll()
}

// Len returns the number of waiting tasks. It counts them one by one.
func (q *WaitQueue) Len() int {
	n := 0
	for r := q.line.head; r != nil; r = r.qnext {
		n++
	}
	return n
}

// First returns the first task of the queue, or nil if the queue is empty.
func (q *WaitQueue) First() *Ref { return q.line.head }

// Reason returns what the tasks wait for, from the why of the last Wait.
func (q *WaitQueue) Reason() string { return q.why.Reason() }

// Owners returns the tasks that could wake the waiters, from the why of the last Wait.
func (q *WaitQueue) Owners() []*Ref { return q.why.Owners() }

// Cancel removes r from the queue and returns true, because leaving the queue undoes the
// wait. It makes a WaitQueue a [Waiter].
func (q *WaitQueue) Cancel(r *Ref) bool {
	q.line.remove(r)
	return true
}
