// SPDX-License-Identifier: Apache-2.0

package task

import (
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"baton/internal/gid"
	"baton/loop"
)

// inTransit is the holder while a goroutine that ends passes the baton on. It
// is no g; the g of the ending goroutine might belong to another one any
// moment. Nor is it 0, which would mean that the loop does not run.
const inTransit = 1

// maxIdle is how many goroutines without a task a baton keeps for new tasks.
// The rest of a burst is given back, its stacks included.
const maxIdle = 1024

// A worker is a goroutine that runs tasks, one after another. It takes part in
// hand-overs; the loop's own goroutine has one too, which runs no tasks. Only
// the holder of the baton touches it, but for what its own goroutine does at
// the very end.
type worker struct {
	b    *baton
	g    uintptr       // of the goroutine
	top  uintptr       // of its stack when it last parked among many, roughly: a hint, or 0
	at   *slot         // coroutines: where it is parked
	ch   chan struct{} // channels: where it waits
	ask  func()        // what to do on this goroutine before parking again
	task *Ref          // whose step runs here; nil while idle. task.worker is this one

	started bool // there is a goroutine; the first pass makes it
	dying   bool // to end as soon as it is resumed
	ended   bool // main has returned
	gone    bool // its goroutine is in Goexit and must not end

	// shown is task, for the watchdog. It is written when a task begins and cleared
	// when the worker becomes idle, and not for each step: that is what naming steps
	// costs.
	shown atomic.Pointer[Ref]

	// The wait of its task, while that is parked. It is here and not in the task,
	// for most tasks never wait, and there may be many that have not begun.
	under *node         // the context of the call that parked
	on    Waiter        // what it waits for
	since time.Duration // when it began, on the loop's clock
	abort *Canceled     // the cancel that has ended it, or nil

	birth *slot      // coroutines: where the end of the goroutine resumes whoever is parked
	index int        // in baton.workers
	timer loop.Timer // of the task's sleep
}

// main is the whole life of a worker's goroutine. It begins with the baton, and
// with a task: nobody starts a goroutine for less.
func (w *worker) main() {
	w.g = gid.G()
	w.b.word.Hold(w.g)
	pprof.SetGoroutineLabels(w.b.labels) // instead of those of whoever has started it
	defer func() { w.ended = true }()
	w.serve()
}

// serve runs tasks until the worker is to end. Goexit passes through it, and
// gives the baton on; so does one that a panic in a deferred call of the task has
// interrupted: to recover the panic does not end the Goexit.
func (w *worker) serve() {
	returned := false
	defer func() {
		if !returned {
			w.task = nil
			w.b.hand.survive(w)
		}
	}()
	for w.task != nil {
		w.run(w.task)
		if to := w.rest(); to != nil {
			w.b.hand.pass(w, to)
			w.resume()
		}
	}
	returned = true
}

// run runs a task from its first step to its end. A panic ends here, with the
// task's own stack. No panic value is nil (runtime.PanicNilError), so a
// deferred call that finds neither a return nor a value is in Goexit. r.end
// never parks, so it may be called from there.
func (w *worker) run(r *Ref) {
	w.b.hold(r)
	if w.b.watched {
		w.shown.Store(r)
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			r.end(newPanicError(r, v))
			return
		}
		r.goexit = true
		r.end(ErrGoexit)
	}()
	err := r.body.run(r)
	returned = true
	r.end(err)
}

// rest finds the worker's next task. The next step in the queue may be the
// first one of a task that has no goroutine yet: then it has one now, and rest
// returns nil. Otherwise the worker becomes idle, and rest returns the one to
// pass the baton to; resume follows. With enough idle ones the goroutine is to
// end instead: it has no task and nobody to pass to. One in Goexit never ends
// before the baton does (coroutines.survive).
func (w *worker) rest() *worker {
	b := w.b
	w.task = nil
	b.cur = nil
	to := b.home
	if e, ok := b.loop.Take(); ok {
		next := e.Runner.(*Ref)
		if next.worker == nil {
			next.worker, w.task = w, next
			return nil
		}
		to = next.worker
	}
	if len(b.idle) >= maxIdle && !w.gone {
		b.forget(w)
		b.word.Hold(inTransit)
		b.hand.leave(w, to)
		return nil
	}
	b.idle = append(b.idle, w)
	if b.watched {
		w.shown.Store(nil) // or an idle worker would keep its last task from being collected
	}
	return to
}

// resume takes the baton again, for the worker's next task; a worker that is to
// end has none. It leaves the word alone: others end at the same time.
func (w *worker) resume() {
	if !w.dying {
		w.b.word.Hold(w.g)
	}
}

// retire gives the baton to whoever is next, for a goroutine that ends. Unlike
// rest it takes no task for itself.
func (w *worker) retire() {
	b := w.b
	b.forget(w)
	b.cur = nil
	to := b.home
	if e, ok := b.loop.Take(); ok {
		to = b.workerOf(e.Runner.(*Ref))
	}
	b.word.Hold(inTransit)
	b.hand.leave(w, to)
}

// park passes the baton and returns when it has come back. It is for home; a
// task parks by baton.next and baton.back.
func (w *worker) park(to *worker) {
	w.b.hand.pass(w, to)
	w.b.word.Hold(w.g)
	if w.ask != nil {
		w.answer()
	}
}

// answer does what was asked of a parked worker, and parks again. It may be
// asked several times before its own step comes; the last pass that returns
// without a question is that step.
func (w *worker) answer() {
	for w.ask != nil {
		asker := w.b.asker
		w.ask()
		w.ask = nil
		w.b.hand.pass(w, asker)
		w.b.word.Hold(w.g)
	}
}

// stackOf returns the stack of a parked worker: the worker is resumed, writes
// it down and parks again. The caller holds the baton, and gets it back
// straight from there: the loop takes no part in it, and cur stays the caller's
// task. runtime.Stack of all goroutines would stop the world, and not say which
// is which.
func (b *baton) stackOf(w *worker) []byte {
	buf := make([]byte, 64<<10)
	write := func() { buf = buf[:runtime.Stack(buf, false)] }
	me := b.holder()
	if w == me {
		write()
		return buf
	}
	w.ask, b.asker = write, me
	cur := b.cur
	b.hand.pass(me, w)
	b.word.Hold(me.g)
	b.cur = cur
	return buf
}
