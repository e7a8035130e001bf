// SPDX-License-Identifier: Apache-2.0

package task

import (
	"baton/loop"
)

// ready puts the next step of a parked or new task into the ready queue.
// Whoever calls it has seen that the task is parked, and has taken it out of
// every line: an entry twice in the queue would be two steps for one wake-up.
// The running task calls it in Yield.
func (r *Ref) ready() {
	r.state = Ready
	e := loop.Entry{Runner: r, Step: true}
	if r.worker != nil {
		e.Runner = &r.worker.Worker
	}
	r.b.loop.Driver().Ready(e)
}

// Run begins the task, and hands it the baton until it parks. It is the loop's to call.
// It returns when the loop's own goroutine has the baton again.
func (r *Ref) Run() { r.b.relay.Start(r) }

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
