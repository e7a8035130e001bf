// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"slices"
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
// that can. It belongs to its holder.
type baton struct {
	loop *loop.Loop
	word *holder.Word
	hand handoff
	cur  *Ref    // the running task; nil in callbacks, while polling and between tasks
	home *worker // the loop's own goroutine

	workers []*worker // all that live, in no order
	idle    []*worker // those without a task; the last one is used first
	asker   *worker   // see stackOf

	virtual bool
	root    *Ref
	lastID  uint64
	foreign foreignContexts
	panics  []*PanicError
}

func newBaton(l *loop.Loop, h Handoff) *baton {
	b := &baton{
		loop:    l,
		word:    l.Holder(),
		virtual: l.Poller().Caps().Has(poll.Virtual),
	}
	if h.choose() == Coroutine {
		b.hand = &coroutines{}
	} else {
		b.hand = &channels{}
	}
	b.home = &worker{b: b, started: true, ch: make(chan struct{})}
	return b
}

// hold makes r the running task; its worker's goroutine has just received the
// baton for it.
func (b *baton) hold(r *Ref) {
	b.cur = r
	r.state = Running
	r.budget = stepBudget
}

// holder is the worker of the goroutine that has the baton.
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
// up from a coroutine switch, which costs more than the calls down.
func (b *baton) next(r *Ref) *worker {
	b.cur = nil
	to := b.home
	if e, ok := b.loop.Take(); ok {
		next := e.Runner.(*Ref)
		if next == r {
			b.hold(r)
			return nil
		}
		if to = next.worker; to == nil {
			to = b.workerOf(next)
		}
	}
	var here byte
	r.worker.top = uintptr(unsafe.Pointer(&here))
	if _, many := b.loop.Ahead(farAhead); many {
		b.prefetch()
	}
	return to
}

// back makes r the running task: its goroutine has the baton again.
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

// prefetch asks for the memory of tasks whose steps come soon.
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
// over and waits until it comes back.
func (b *baton) runStep(r *Ref) {
	b.home.g = gid.G()
	b.home.park(b.workerOf(r))
	b.cur = nil
}

// workerOf returns the worker that runs r's next step.
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
		b.workers = append(b.workers, w)
	}
	w.task, r.worker = r, w
	return w
}

// forget drops a worker whose goroutine ends.
func (b *baton) forget(w *worker) {
	last := b.workers[len(b.workers)-1]
	b.workers[w.index], last.index = last, w.index
	b.workers[len(b.workers)-1] = nil
	b.workers = b.workers[:len(b.workers)-1]
}

// close ends all goroutines. Every task has ended; the caller runs home.
func (b *baton) close() {
	if len(b.idle) != len(b.workers) {
		panic(fmt.Sprintf("task: %d goroutines, but %d idle, after the last task has ended", len(b.workers), len(b.idle)))
	}
	b.hand.end(b.home, slices.Clone(b.workers))
	b.word.Hold(0)
	b.workers, b.idle = nil, nil
}
