// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"baton/internal/gid"
	"baton/internal/holder"
	"baton/internal/prefetch"
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
	loop *loop.Loop
	word *holder.Word
	hand handoff

	// cur is the running task; nil in callbacks, while polling and between tasks.
	// It says nothing to a goroutine that word does not name: look there first.
	cur  *Ref
	home *worker // the loop's own goroutine

	// All workers that live but home, in no order. The watchdog reads the list,
	// so writing it takes the lock; the holder reads it without.
	workers []*worker
	listing sync.Mutex

	idle  []*worker // those without a task; the last one is used first
	asker *worker   // who waits for an answer: see stackOf

	labels  context.Context // has the pprof labels with which workers begin
	virtual bool            // the loop's clock is not that of package time
	watched bool            // the loop has a watchdog
	root    *Ref            // the task of main
	over    bool            // the turn after its end runs, or has run; or Run has given up
	lastID  uint64          // of the task that was made last
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
		word:    l.Holder(),
		virtual: l.Poller().Caps().Has(poll.Virtual),
	}
	if h = h.choose(); h == Coroutine {
		b.hand = &coroutines{}
	} else {
		b.hand = &channels{}
	}
	l.Doze(h == Coroutine)
	b.home = &worker{b: b, started: true, ch: make(chan struct{})}
	b.watched = l.NameSteps(b.nameOf)
	return b
}

// hold makes r the running task, with a fresh budget: a step begins. Its
// worker's goroutine calls it, when the word names that goroutine already.
func (b *baton) hold(r *Ref) {
	b.cur = r
	r.state = Running
	r.budget = stepBudget
}

// holder is the worker of the goroutine that has the baton, for that goroutine
// to call.
func (b *baton) holder() *worker {
	if b.cur != nil {
		return b.cur.worker
	}
	return b.home
}

// next is the first half of a task's parking: the running task r waits, or is
// ready again, and gives the baton away until its own step comes. It takes the
// next step from the loop and returns the worker to pass the baton to, with
// handoff.pass; then back is the second half. Often the next step is r's own:
// then next returns nil, r goes on, and nothing is switched.
//
// The three are called one after another, and not by a function of their own,
// from what tasks call most: the processor mispredicts every return on the way
// up from a switch, which costs more than the calls down. WaitQueue.Wait, under
// which most tasks park, repeats what pass does for the same reason.
func (b *baton) next(r *Ref) *worker {
	b.cur = nil // first: Take may end the turn and poll, in the name of no task
	to := b.home
	if e, ok := b.loop.Take(); ok {
		next := e.Runner.(*Ref) // only this package makes steps for a loop with tasks
		if next == r {
			b.hold(r)
			return nil
		}
		if to = next.worker; to == nil {
			to = b.workerOf(next)
		}
	}
	if _, many := b.loop.Ahead(farAhead); many {
		// The goroutine parks a few frames below here. A stack that moves later
		// makes it a useless hint, not a wrong one.
		var here byte
		r.worker.top = uintptr(unsafe.Pointer(&here))
		b.prefetch()
	}
	return to
}

// back makes r the running task: its goroutine has the baton again. The word
// comes before everything else, for whoever looks must find this goroutine to
// be the holder; a question (stackOf) is answered before the step begins, since
// the baton is then only on loan.
func (b *baton) back(r *Ref) {
	w := r.worker
	b.word.Hold(w.g)
	if w.ask != nil {
		w.answer()
	}
	b.hold(r)
}

// How many steps before its own a task's memory is asked for: what leads to
// more memory comes first.
const (
	farAhead   = 7 // the task
	midAhead   = 5 // its worker
	closeAhead = 3 // the worker's goroutine and slot
)

// prefetch asks for the memory of tasks whose steps come soon. The caller has
// seen that the turn has farAhead more entries, so few ready tasks, which are
// in the cache anyway, do not pay for it. Each distance reads only what a
// longer one has asked for some steps ago. Any of the entries may be a
// callback.
func (b *baton) prefetch() {
	if e, _ := b.loop.Ahead(farAhead); e.Step {
		prefetch.Line(uintptr(unsafe.Pointer(e.Runner.(*Ref))))
	}
	if e, _ := b.loop.Ahead(midAhead); e.Step {
		prefetch.Line(uintptr(unsafe.Pointer(e.Runner.(*Ref).worker)))
	}
	if e, _ := b.loop.Ahead(closeAhead); e.Step {
		if w := e.Runner.(*Ref).worker; w != nil {
			prefetch.Line(uintptr(unsafe.Pointer(w.at)))
			prefetch.Goroutine(w.g, w.top)
		}
	}
}

// runStep is the loop side of a step: the loop's own goroutine hands the baton
// over and waits until it comes back. By then any number of other steps may
// have run, for tasks pass it on among themselves.
func (b *baton) runStep(r *Ref) {
	b.home.g = gid.G()
	b.home.park(b.workerOf(r))
	b.cur = nil
}

// workerOf returns the worker that runs r's next step. A task gets one with its
// first step and keeps it to its end: the one that became idle last, or else a
// new one, whose goroutine handoff.pass starts.
func (b *baton) workerOf(r *Ref) *worker {
	if r.worker != nil {
		return r.worker
	}
	var w *worker
	if last := len(b.idle) - 1; last >= 0 {
		w = b.idle[last]
		b.idle[last] = nil
		b.idle = b.idle[:last]
	} else {
		w = &worker{b: b}
		if _, ok := b.hand.(*channels); ok {
			w.ch = make(chan struct{})
		}
		w.index = len(b.workers)
		b.listing.Lock()
		b.workers = append(b.workers, w)
		b.listing.Unlock()
	}
	w.task, r.worker = r, w
	return w
}

// forget drops a worker whose goroutine ends. It is not among the idle. The
// last worker takes its place, so workers[w.index] is w for all that are left.
func (b *baton) forget(w *worker) {
	b.listing.Lock()
	defer b.listing.Unlock()
	last := b.workers[len(b.workers)-1]
	b.workers[w.index], last.index = last, w.index
	b.workers[len(b.workers)-1] = nil
	b.workers = b.workers[:len(b.workers)-1]
}

// close ends all goroutines, and returns when they have ended. Every task has
// ended before, so each goroutine is idle, and one that is not is a fault in
// this package. The caller runs home; the loop does not run.
func (b *baton) close() {
	if len(b.idle) != len(b.workers) {
		panic(fmt.Sprintf("task: %d goroutines, but %d idle, after the last task has ended", len(b.workers), len(b.idle)))
	}
	b.loop.NameSteps(nil)
	b.hand.end(b.home, slices.Clone(b.workers))
	b.word.Hold(0)
	b.listing.Lock()
	b.workers, b.idle = nil, nil
	b.listing.Unlock()
}

// nameOf names the task whose step runs on the goroutine g, for the watchdog, on
// its goroutine. That of a worker is read only after the worker has shown a task:
// then it does not change any more.
func (b *baton) nameOf(g uintptr) string {
	b.listing.Lock()
	defer b.listing.Unlock()
	for _, w := range b.workers {
		if r := w.shown.Load(); r != nil && w.g == g {
			return r.String()
		}
	}
	return ""
}
