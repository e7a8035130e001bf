// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
)

// A WaitQueue is a line of parked tasks, the one place on which everything
// parks that waits for other tasks. Those woken first are those that came
// first, and waiting in it costs no allocation. The zero value is an empty
// queue, and must not be copied once it is in use. It belongs to the loop of its
// waiters: all its methods are for the holder of that baton, and none but Wait
// switches. Trio calls it a ParkingLot.
type WaitQueue struct {
	_    noCopy
	line taskList
	why  Reason // of whoever came last; nil until somebody has waited
}

// noCopy has go vet find copies of what holds it: the tasks in a line would be in
// that of the original only.
type noCopy struct{}

func (*noCopy) Lock() {}

func (*noCopy) Unlock() {}

// Wait parks the calling task at the end of the line until it is woken, and
// returns nil then. If ctx is cancelled first it returns the *Canceled, and the
// task has left the line: nobody is woken in vain. why is for reports, and the
// same for all waiters of a queue. It parks even if what the task waits for is
// there: the caller looks before.
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
	// This is park, written out for its return: see relay.Worker.Leave.
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

// waitForeign is Wait under a context of the standard library.
func (q *WaitQueue) waitForeign(ctx context.Context, why Reason) error {
	n := enter(ctx)
	if c := n.interrupted(ctx); c != nil {
		return n.ref.endCanceled(c)
	}
	q.join(n.ref, why)
	return n.ref.wait(ctx, n, q)
}

// join puts r at the end of the line, which is that of one loop.
func (q *WaitQueue) join(r *Ref, why Reason) {
	if q.line.head != nil && q.line.head.b != r.b {
		q.panicOtherLoop(r, why)
	}
	q.why = why
	q.line.push(r)
}

// strangers panics because r and the tasks in the line have different loops.
func (q *WaitQueue) panicOtherLoop(r *Ref, why Reason) {
	misuse("%v of %v waits for %s together with %v of %v; use a Portal between loops",
		r, r.b.loop, why.Reason(), q.line.head, q.line.head.b.loop)
}

// WakeOne wakes the task at the head of the line and returns it, or nil. The
// caller holds the baton of its loop. The task runs in the loop's next turn,
// and its Wait returns nil, whatever is cancelled until then. So what it waits
// for can be given to it here and now.
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

// WakeAll wakes all waiting tasks, in order, and returns how many they were. The
// caller holds the baton of their loop.
func (q *WaitQueue) WakeAll() int {
	if r := q.line.head; r != nil {
		r.held("WaitQueue.WakeAll")
	}
	return q.line.wakeAll()
}

// Len counts the waiting tasks, one by one.
func (q *WaitQueue) Len() int {
	n := 0
	for r := q.line.head; r != nil; r = r.qnext {
		n++
	}
	return n
}

// First returns the task at the head of the line, or nil.
func (q *WaitQueue) First() *Ref { return q.line.head }

// Reason tells what the waiters wait for, in their own words.
func (q *WaitQueue) Reason() string { return q.why.Reason() }

// Owners are the tasks that could wake the waiters.
func (q *WaitQueue) Owners() []*Ref { return q.why.Owners() }

// Cancel takes r out of the line. It makes a WaitQueue a Waiter. It always
// agrees: to leave the line undoes the wait.
func (q *WaitQueue) Cancel(r *Ref) bool {
	q.line.remove(r)
	return true
}
