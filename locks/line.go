// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// A line is tasks that wait, first come, first served: at one end of a queue, or
// at a barrier. Other than in a task.WaitQueue everybody has an item in the hand:
// the one to put, or room for the one to get. So the item changes hands in the
// moment of the wake-up, and nothing that happens later can lose it. And the line
// knows its length, also in the moment of a cancel, of which the task itself
// would learn only later.
type line[T any] struct {
	_          noCopy
	head, tail *place[T]
	len        int
	spare      *place[T] // used before: in the long run waiting does not allocate
	why        task.Text // what everybody in the line waits for
}

// noCopy has go vet find copies: the tasks that wait know the original only.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// A place is a task's place in a line. It belongs to the task from join until wait
// returns, though wake and Cancel take it out of the line before.
type place[T any] struct {
	line       *line[T] // nil outside of the line
	task       *task.Ref
	item       T     // what the task has brought, and after wake what it takes away
	err        error // what wait returns after wake
	next, prev *place[T]
}

// wait waits at the end of the line with an item until wake, and returns the
// item and error that wake has left. After a cancel it returns the item that r
// came with, and nobody else has it. r is the task of ctx, which has just passed
// a Checkpoint. It may switch.
func (l *line[T]) wait(ctx context.Context, r *task.Ref, item T, why task.Text) (T, error) {
	l.meet(r, why)
	l.why = why
	p := l.join(r, item)
	err := task.Park(ctx, p)
	if err == nil {
		item, err = p.item, p.err
	}
	*p = place[T]{next: l.spare} // a spare one keeps neither item nor task alive
	l.spare = p
	return item, err
}

// meet panics if r and those in the line are of different loops.
func (l *line[T]) meet(r *task.Ref, why task.Text) {
	if l.head != nil {
		meet(r, l.head.task, why.Reason())
	}
}

// join puts r at the end of the line.
func (l *line[T]) join(r *task.Ref, item T) *place[T] {
	p := l.spare
	if p != nil {
		l.spare = p.next
	} else {
		p = new(place[T])
	}
	*p = place[T]{line: l, task: r, item: item, prev: l.tail}
	if l.tail != nil {
		l.tail.next = p
	} else {
		l.head = p
	}
	l.tail = p
	l.len++
	return p
}

// mayWake panics if somebody waits in the line whom the caller may not wake. It
// comes before wake, and before anything else that a call changes.
func (l *line[T]) mayWake(call string) {
	if l.head != nil {
		mayWake(l.head.task, call)
	}
}

// wake ends the wait of the first in the line, with an item and an error, and
// returns the item that it has brought. The caller has asked mayWake.
func (l *line[T]) wake(item T, err error) (brought T) {
	p := l.head
	p.leave()
	brought, p.item, p.err = p.item, item, err
	p.task.Wake()
	return brought
}

// leave takes p out of the line, wherever in it that is, in constant time.
func (p *place[T]) leave() {
	l := p.line
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.head = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.tail = p.prev
	}
	l.len--
	p.line, p.next, p.prev = nil, nil, nil
}

// Cancel takes the place out of the line. Nothing of it is in other hands, so the
// wait is over at once. It makes a place a task.Waiter.
func (p *place[T]) Cancel(*task.Ref) bool {
	p.leave()
	return true
}

func (p *place[T]) Reason() string      { return p.line.why.Reason() }
func (p *place[T]) Owners() []*task.Ref { return nil }
