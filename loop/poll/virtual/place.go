// SPDX-License-Identifier: Apache-2.0

package virtual

import "baton/loop/poll"

// A place is where an operation in flight stays: a conn, a listener, the
// timetable or the queue of finished ones. Op.Private.Any points to it, so the
// operation itself tells where to cancel it, and no table of operations is
// needed.
type place interface {
	// owner tells whose operation it is. Pollers never touch each other's.
	owner() *Poller
	// remove forgets op, which is in this place.
	remove(op *poll.Op)
}

// inFlight tells whether op is submitted to p and not reported. Whatever
// another poller may have left in op does not count.
func (p *Poller) inFlight(op *poll.Op) bool {
	at, ok := op.Private.Any.(place)
	return ok && at.owner() == p && !p.closed
}

// A queue is a list of operations, first in, first out, linked through
// Op.Private.Next.
type queue struct {
	poller     *Poller
	head, tail *poll.Op
}

func (q *queue) owner() *Poller { return q.poller }

// remove is never called: what is finished stays so.
func (q *queue) remove(*poll.Op) { panic("virtual: a finished operation cannot be removed") }

func (q *queue) empty() bool { return q.head == nil }

// push makes op the last one to be reported.
func (q *queue) push(op *poll.Op) {
	op.Private.Any = q
	op.Private.Next = nil
	if q.tail == nil {
		q.head = op
	} else {
		q.tail.Private.Next = op
	}
	q.tail = op
}

// drainTo empties q onto the end of done; the operations are then nobody's, and
// may be submitted again before the next one is looked at.
func (q *queue) drainTo(done []*poll.Op) []*poll.Op {
	for op := q.head; op != nil; {
		next := op.Private.Next
		op.Private.Next, op.Private.State, op.Private.Any = nil, 0, nil
		done = append(done, op)
		op = next
	}
	q.head, q.tail = nil, nil
	return done
}
