// SPDX-License-Identifier: Apache-2.0

package virtual

import "baton/loop/poll"

// A location is where an operation in flight is stored: a conn, a listener, a packetConn, the
// delayQueue or the queue of completed operations. Op.Private.Any points to it, so Cancel finds
// the operation without a table.
type location interface {
	// owner returns the poller of the operation. Pollers ignore operations of other pollers.
	owner() *Poller
	// remove removes op, which is stored in this location.
	remove(op *poll.Op)
}

// inFlight reports whether op is submitted to p and not yet reported. A value that another
// poller left in op does not count.
func (p *Poller) inFlight(op *poll.Op) bool {
	at, ok := op.Private.Any.(location)
	return ok && at.owner() == p && !p.closed
}

// A queue is a first-in, first-out queue of operations, linked through Op.Private.Next.
type queue struct {
	poller     *Poller
	head, tail *poll.Op
}

func (q *queue) owner() *Poller { return q.poller }

// remove implements location. It is never called, because a completed operation cannot be
// cancelled.
func (q *queue) remove(*poll.Op) { panic("virtual: a completed operation cannot be removed") }

func (q *queue) empty() bool { return q.head == nil }

// push adds op to the end of q.
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

// drainTo moves all operations of q to done. They may be submitted again after that.
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
