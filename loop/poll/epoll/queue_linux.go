// SPDX-License-Identifier: Apache-2.0

package epoll

import "baton/loop/poll"

// A queue is a first-in, first-out queue of completed operations. It does not allocate: the
// links are in the operations, which belong to the poller until drain removes them.
type queue struct{ first, last *poll.Op }

func (q *queue) push(op *poll.Op) {
	op.Private.Next = nil // a closed poller may have left a value
	if q.last == nil {
		q.first = op
	} else {
		q.last.Private.Next = op
	}
	q.last = op
}

// drain appends all operations to done and empties the queue. After that, the caller of Wait
// may submit each of them again.
func (q *queue) drain(done []*poll.Op) []*poll.Op {
	for op := q.first; op != nil; {
		next := op.Private.Next
		op.Private.Next, op.Private.Any = nil, nil
		done = append(done, op)
		op = next
	}
	q.first, q.last = nil, nil
	return done
}
