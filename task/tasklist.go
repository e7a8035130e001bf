// SPDX-License-Identifier: Apache-2.0

package task

// push puts r at the end.
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

// remove takes r, which is in the line, out of it. Nothing checks that it is: a
// Waiter is told of a cancel only while its task is parked on it.
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

// pop takes the task at the head out and returns it; there is one.
func (l *taskList) pop() *Ref {
	r := l.head
	if l.head = r.qnext; l.head != nil {
		l.head.qprev = r.qprev // the tail
	}
	r.qnext, r.qprev = nil, nil
	return r
}

// wakeOne wakes the task at the head and returns it, or nil. The task has left
// the line by then: whatever cancels it now comes too late.
func (l *taskList) wakeOne() *Ref {
	if l.head == nil {
		return nil
	}
	r := l.pop()
	r.ready()
	return r
}

// wakeAll wakes all, in order, and returns how many they were.
func (l *taskList) wakeAll() int {
	n := 0
	for l.wakeOne() != nil {
		n++
	}
	return n
}
