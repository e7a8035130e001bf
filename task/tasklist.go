// SPDX-License-Identifier: Apache-2.0

package task

// push appends r.
func (l *taskList) push(r *Ref) {
	r.qnext = nil
	if l.head == nil {
		l.head, r.qprev = r, r
		return
	}
	tail := l.head.qprev
	tail.qnext, r.qprev = r, tail
	l.head.qprev = r
}

// remove removes r. It does not check that r is in the list: Cancel of a Waiter is called
// only while the task is parked on it.
func (l *taskList) remove(r *Ref) {
	if r == l.head {
		l.head = r.qnext
	} else {
		r.qprev.qnext = r.qnext
	}
	if r.qnext != nil {
		r.qnext.qprev = r.qprev
	} else if l.head != nil {
		l.head.qprev = r.qprev // r was the tail
	}
	r.qnext, r.qprev = nil, nil
}

// pop removes and returns the head. The list must not be empty.
func (l *taskList) pop() *Ref {
	r := l.head
	if l.head = r.qnext; l.head != nil {
		l.head.qprev = r.qprev // the tail
	}
	r.qnext, r.qprev = nil, nil
	return r
}

// wakeOne wakes the head and returns it, or nil if the list is empty. The task has left
// the list, so a later cancel does not end the wait.
func (l *taskList) wakeOne() *Ref {
	if l.head == nil {
		return nil
	}
	r := l.pop()
	r.ready()
	return r
}

// wakeAll wakes all tasks, in order, and returns their number.
func (l *taskList) wakeAll() int {
	n := 0
	for l.wakeOne() != nil {
		n++
	}
	return n
}
