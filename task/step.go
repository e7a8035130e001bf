// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"

	"baton/loop"
)

// ready puts the next step of a parked or new task into the ready queue.
// Whoever calls it has seen that the task is parked, and has taken it out of
// every line: an entry twice in the queue would be two steps for one wake-up.
// The running task calls it in Yield.
func (r *Ref) ready() {
	r.state = Ready
	e := loop.Entry{Runner: (*firstStep)(r), Step: true}
	if r.worker != nil {
		e.Runner = &r.worker.Worker
	}
	r.b.loop.Driver().Ready(e)
}

// A firstStep is a task that has not begun, as an entry of the ready queue.
type firstStep Ref

// Run begins the task, and returns when the loop's own goroutine has the baton again.
func (f *firstStep) Run() { f.b.relay.Start(f) }

// Who returns the task: see loop.Entry.
func (f *firstStep) Who() fmt.Stringer { return (*Ref)(f) }

// hold makes r the running task, with a fresh budget: a step begins. Its
// worker's goroutine calls it, when the word names that goroutine already.
func (b *baton) hold(r *Ref) {
	b.cur = r
	r.state = Running
	r.budget = stepBudget
}

// park gives the baton away, until the task's own step comes.
func (r *Ref) park() {
	r.b.cur = nil // first: Leave may end the turn and poll, in the name of no task
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
}
