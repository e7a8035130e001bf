// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"fmt"
	"runtime/pprof"
	"sync/atomic"
	"unsafe"

	"baton/internal/gid"
	"baton/loop"
)

// inTransit is the holder while a goroutine that ends passes control on. It is no g;
// the g of the ending goroutine might belong to another one any moment. It is not 0
// either, which would mean that the loop does not run.
const inTransit = 1

// A Seat is what package task keeps with a worker: it runs tasks there, one after
// another. All methods but Name are called by the goroutine that has control.
type TaskRunner interface {
	// Take gives the seat a task, by the entry of its first step.
	Take(first loop.Runner)

	// Work runs the task to its end, on the worker's goroutine. It does not panic.
	// It may end the goroutine by runtime.Goexit; then the task has ended.
	Work()

	// Rest says that the worker is idle: it keeps nothing of its last task.
	Idle()

	// Task returns the task; nil if there is none.
	Task() fmt.Stringer

	// Name names the task; it is empty if there is none. Safe from every goroutine.
	Name() string
}

// A Worker is a goroutine that runs tasks, one after another. It is an entry of the
// ready queue when the task that runs on it has parked and is to go on. The loop's own
// goroutine has one too, which runs no tasks. Only the goroutine that has control
// touches it, but for what its own goroutine does at the very end.
//
// What a switch touches stands at the beginning: see prefetch.go.
type Worker struct {
	// Near is an address that the task's next step will read: a hint, or 0.
	Near uintptr

	relay  *Relay
	g      uintptr       // of the goroutine
	top    uintptr       // of its stack when it last parked, roughly: a hint, or 0
	at     *slot         // coroutines: where it is parked
	ch     chan struct{} // channels: where it waits
	runner TaskRunner    // nil for the loop's own goroutine
	index  int32         // in Relay.workers

	begun    atomic.Bool // g is set, and does not change any more
	busy     bool        // it has a task
	started  bool        // there is a goroutine; the first pass makes it
	dying    bool        // to end as soon as it is resumed
	ended    bool        // main has returned
	inGoexit bool        // its goroutine is in Goexit and must not end
}

// Run passes control to the worker until the loop's own goroutine has it again. It is
// the loop's to call: it makes a Worker a loop.Runner.
func (w *Worker) Run() { w.relay.run(w) }

// Who returns the task that runs on the worker. It is for reports on the ready queue:
// see loop.Entry.
func (w *Worker) Who() fmt.Stringer { return w.runner.Task() }

// main is the whole life of a worker's goroutine. It begins with control, and with a
// task: a goroutine is started for no less.
func (w *Worker) main() {
	w.g = gid.G()
	w.begun.Store(true)
	w.relay.word.Hold(w.g)
	if w.relay.Labels != nil {
		pprof.SetGoroutineLabels(w.relay.Labels) // instead of those of the goroutine that has started it
	}
	defer func() { w.ended = true }()
	w.serve()
}

// serve runs tasks until the worker is to end. Goexit passes through it, and gives
// control on; so does one that a panic in a deferred call of the task has interrupted:
// to recover the panic does not end the Goexit.
func (w *Worker) serve() {
	returned := false
	defer func() {
		if !returned {
			w.busy = false
			w.relay.hand.goexit(w)
		}
	}()
	for w.busy {
		w.runner.Work()
		if to := w.goIdle(); to != nil {
			w.relay.hand.pass(w, to)
			w.resume()
		}
	}
	returned = true
}

// rest finds the worker's next task. The next entry may be the first step of a task
// that has no worker yet: then it has this one, and rest returns nil. Otherwise the
// worker becomes idle, and rest returns the one to pass control to; resume follows.
// With enough idle ones the goroutine is to end instead: it has no task and nothing to
// pass. One in Goexit never ends before the relay does (coroutines.survive).
func (w *Worker) goIdle() *Worker {
	r := w.relay
	w.busy = false
	to := r.loopWorker
	if e, ok := r.loop.Take(); ok {
		if to, ok = e.Runner.(*Worker); !ok {
			w.busy = true
			w.runner.Take(e.Runner)
			return nil
		}
	}
	if len(r.idle) >= maxIdle && !w.inGoexit {
		r.forget(w)
		r.word.Hold(inTransit)
		r.hand.leave(w, to)
		return nil
	}
	r.idle = append(r.idle, w)
	w.runner.Idle()
	return to
}

// resume takes control again, for the worker's next task; a worker that is to end has
// none. It leaves the word alone: others end at the same time.
func (w *Worker) resume() {
	if !w.dying {
		w.relay.word.Hold(w.g)
	}
}

// retire gives control to the next one, for a goroutine that ends. Unlike rest it takes
// no task for itself.
func (w *Worker) retire() {
	r := w.relay
	r.forget(w)
	to := r.next()
	r.word.Hold(inTransit)
	r.hand.leave(w, to)
}

// next takes the next entry from the loop, and returns the worker that runs it.
func (r *Relay) next() *Worker {
	to := r.loopWorker
	if e, ok := r.loop.Take(); ok {
		if to, ok = e.Runner.(*Worker); !ok {
			to = r.assign(e.Runner)
		}
	}
	if _, many := r.loop.Ahead(farAhead); many {
		r.prefetch()
	}
	return to
}

// Leave gives control away, until the worker's own entry is next. The caller has put it
// in the ready queue, or waits for what will. Often it is next at once: then Leave
// returns false, and nothing is switched. Otherwise the caller takes the way, which
// returns when the worker has control again, and then calls Back.
//
// It is not one function: the processor mispredicts each return on the way up from a
// switch, which costs more than the calls down.
func (w *Worker) Leave() (way Way, ok bool) {
	// The goroutine parks a few frames below here. A stack that moves later makes top a
	// useless hint, not a wrong one.
	var here byte
	w.top = uintptr(unsafe.Pointer(&here))
	to := w.relay.next()
	if to == w {
		return Way{}, false
	}
	switch hand := w.relay.hand.(type) {
	case *coroutines:
		s := hand.aim(w, to)
		if s.odd = !s.odd; s.odd {
			way.Next = s.next
		} else {
			way.Yield = s.yield
		}
	case *channels:
		hand.give(to)
		way.Ch = w.ch
	}
	return way, true
}

// A Way is how a goroutine gives control away: one of its fields is set. The caller
// calls it, or receives from it.
type Way struct {
	Next  func() (struct{}, bool)
	Yield func(struct{}) bool
	Ch    chan struct{}
}

// Back completes Leave. It sets the word before all else but passing control on, since
// code that looks must find this goroutine to be the holder. It answers a question
// (Stack) before the step begins, and gives control back to the asker.
func (w *Worker) Back() {
	r := w.relay
	if c, ok := r.hand.(*coroutines); ok && c.target != w {
		c.passOn(w)
	}
	r.word.Hold(w.g)
	for r.stackOf == w {
		r.stackOf = nil
		r.writeStack()
		r.hand.pass(w, r.stackFor)
		r.word.Hold(w.g)
	}
}
