// SPDX-License-Identifier: Apache-2.0

package task

import (
	"baton/internal/holder"
	"baton/internal/relay"
	"baton/loop"
	"baton/loop/poll"
)

// stepBudget is how many calls that need not wait a task may make in one step
// before one of them yields, so that nobody starves the loop by never parking.
const stepBudget = 256

// A baton is what the tasks of one loop share: who runs now, and the goroutines
// that can. Each Run makes one. It belongs to its holder; other goroutines read
// loop and word, which never change.
type baton struct {
	loop  *loop.Loop
	word  *holder.Word
	relay *relay.Relay

	// cur is the running task; nil in callbacks, while polling and between tasks.
	// It says nothing to a goroutine that word does not name: look there first.
	cur *Ref

	virtual bool   // the loop's clock is not that of package time
	watched bool   // the loop has a watchdog
	root    *Ref   // the task of main
	over    bool   // the turn after its end runs, or has run; or Run has given up
	lastID  uint64 // of the task that was made last
	foreign foreignContexts

	// deadlock is the cancel of all tasks for the first deadlock, or nil.
	deadlock *Canceled

	// panics are those of tasks, for verdict: whoever caught one may have dropped
	// it. Reported ones leave when the list would grow.
	panics []*PanicError
}

// newBaton makes the baton of one Run on l. It starts no goroutine: each begins
// when the baton is first passed to it.
func newBaton(l *loop.Loop, h Handoff) *baton {
	b := &baton{
		loop:    l,
		word:    l.Driver().Holder(),
		virtual: l.Poller().Caps().Has(poll.Virtual),
	}
	b.foreign = foreignContexts{loop: l, virtual: b.virtual}
	h = h.choose()
	b.relay = relay.New(l, h == Coroutine, newWorker)
	l.Driver().Doze(h == Coroutine)
	b.watched = l.Driver().NameSteps(b.relay.NameOf)
	return b
}

// hold makes r the running task, with a fresh budget: a step begins. Its
// worker's goroutine calls it, when the word names that goroutine already.
func (b *baton) hold(r *Ref) {
	b.cur = r
	r.state = Running
	r.budget = stepBudget
}

// stack returns the stack of r, which has a worker.
func (b *baton) stack(r *Ref) []byte {
	cur := b.cur
	var me *relay.Worker // the loop's own goroutine
	if cur != nil {
		me = &cur.worker.Worker
	}
	stack := b.relay.Stack(me, &r.worker.Worker)
	b.cur = cur
	return stack
}

// close ends all goroutines, and returns when they have ended. Every task has ended
// before. The loop does not run.
func (b *baton) close() {
	b.loop.Driver().NameSteps(nil)
	b.relay.Close()
}
