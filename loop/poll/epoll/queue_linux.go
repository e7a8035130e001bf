// SPDX-License-Identifier: Apache-2.0

package epoll

import "baton/loop/poll"

// A queue holds finished operations, first in, first out, without allocating.
// The links are in the operations, which are in flight until drain forgets
// them.
type queue struct{ first, last *poll.Op }

func (q *queue) push(op *poll.Op) {
	op.Private.Next = nil // a poller that was closed may have left something
	if q.last == nil {
		q.first = op
	} else {
		q.last.Private.Next = op
	}
	q.last = op
}

// drain appends the operations to done, and forgets them. Then their owners may
// submit them again, even before the last one is told.
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
