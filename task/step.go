// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"

	"baton/loop"
)

// ready puts the next step of a task into the ready queue. The task is parked or new, or
// is the running task that yields. The caller has removed the task from every taskList: a
// second entry in the queue would be a second step for one wake-up.
func (r *Ref) ready() {
	r.state = Ready
	e := loop.Entry{Runner: (*firstStep)(r), Step: true}
	if r.worker != nil {
		e.Runner = &r.worker.Worker
	}
	r.b.loop.Driver().Ready(e)
}

// A firstStep is the entry of the ready queue for a task that has not begun.
type firstStep Ref

// Run begins the task, and returns when the loop's own goroutine has the baton again.
func (f *firstStep) Run() { f.b.relay.Start(f) }

// Who returns the task: see loop.Entry.
func (f *firstStep) Who() fmt.Stringer { return (*Ref)(f) }

// hold makes r the running task, with a full budget: a step begins. The goroutine of r's
// worker calls it, after it has written itself into word.
func (b *baton) hold(r *Ref) {
	b.cur = r
	r.state = Running
	r.budget = stepBudget
}

// park passes the baton on, and returns when the task has it again for its next step.
func (r *Ref) park() {
	r.b.cur = nil // first: Leave may end the turn and poll, and then no task runs
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
