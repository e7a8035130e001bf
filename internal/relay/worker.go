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

// inTransit is the holder while an ending goroutine passes control on. It is not the g of
// any goroutine, because the runtime may reuse the g of the ending goroutine at once. It
// is not 0, which means that the loop does not run.
const inTransit = 1

// A TaskRunner is what package task keeps with a worker: it runs tasks on it, one after
// another. The goroutine that has control calls the methods, except Name.
type TaskRunner interface {
	// Take receives a task, by the entry of its first step.
	Take(first loop.Runner)

	// Work runs the task to its end, on the worker's goroutine. It does not panic. It may end
	// the goroutine by runtime.Goexit, after the task has ended.
	Work()

	// Idle is called when the worker becomes idle. It drops all references to the last task.
	Idle()

	// Task returns the task, or nil.
	Task() fmt.Stringer

	// Name returns the name of the task, or "". It is safe for concurrent use.
	Name() string
}

// A Worker is a goroutine that runs tasks, one after another. It is also the entry in the
// ready queue for a parked task that is ready to go on. The loop's own goroutine has a
// Worker too, which runs no tasks. Only the goroutine that has control may use a Worker,
// except what the worker's goroutine does when it ends.
//
// The fields that a switch uses stand at the beginning: see prefetch.go.
type Worker struct {
	// Near is an address that the task's next step will read. It is a hint, and may be 0.
	Near uintptr

	relay  *Relay
	g      uintptr       // of the goroutine
	top    uintptr       // about the top of the stack when it last parked; a hint, or 0
	at     *slot         // with coroutines: the slot in which it is parked
	ch     chan struct{} // with channels: where it waits
	runner TaskRunner    // nil for the loop's own goroutine
	index  int32         // in Relay.workers

	begun    atomic.Bool // g is set and does not change any more
	busy     bool        // it has a task
	started  bool        // the goroutine exists; the first pass makes it
	dying    bool        // it ends as soon as it is resumed
	ended    bool        // main has returned
	inGoexit bool        // the goroutine is in Goexit and must not end before the relay
}

// Run passes control to the worker, and returns when the loop's own goroutine has control
// again. The loop calls it: a Worker is a loop.Runner.
func (w *Worker) Run() { w.relay.run(w) }

// Who returns the task on the worker, for reports: see loop.Entry.
func (w *Worker) Who() fmt.Stringer { return w.runner.Task() }

// main is the function of a worker's goroutine. The goroutine starts with control and with
// a task.
func (w *Worker) main() {
	w.g = gid.G()
	w.begun.Store(true)
	w.relay.word.Hold(w.g)
	if w.relay.Labels != nil {
		pprof.SetGoroutineLabels(w.relay.Labels) // not those of the goroutine that started it
	}
	defer func() { w.ended = true }()
	w.serve()
}

// serve runs tasks until the worker is to end. If a task ends by Goexit, the deferred
// function passes control on. A Goexit continues even if a deferred function panicked and
// the panic was recovered.
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

// goIdle is called when the worker's task has ended. If the next entry is the first step
// of a task without a worker, this worker takes the task, and goIdle returns nil.
// Otherwise the worker becomes idle, and goIdle returns the worker to pass control to; the
// caller then calls resume. If enough workers are idle already, goIdle passes control on
// and returns nil: the goroutine has no task and ends. A goroutine in Goexit does not end
// before the relay is closed (coroutines.goexit).
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

// resume records that the worker has control again, for its next task. A dying worker has
// no task and does not write the word, because others end at the same time.
func (w *Worker) resume() {
	if !w.dying {
		w.relay.word.Hold(w.g)
	}
}

// retire passes control on before the goroutine ends. Unlike goIdle it takes no task.
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

// Leave begins to give control away. The worker gets control back when its own entry is the
// next; the caller has put the entry into the ready queue, or other code will. If the entry
// is the next already, Leave returns false, and there is no switch. Otherwise the caller
// uses the way, which returns when the worker has control again, and then calls Back.
//
// Leave, the way and Back are not one function: the processor mispredicts every return
// after a switch. That costs more than the additional calls.
func (w *Worker) Leave() (way Way, ok bool) {
	// The goroutine parks a few frames below here. If the stack moves later, top is useless
	// but harmless.
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

// A Way is how a goroutine gives control away. One of its fields is set: the caller calls
// it, or receives from it.
type Way struct {
	Next  func() (struct{}, bool)
	Yield func(struct{}) bool
	Ch    chan struct{}
}

// Back completes Leave. First it passes control on if control is not meant for w. Then it
// writes the word, before all other code, because that code may check the holder. Last, it
// writes the stack if Stack asks for it, and passes control back to the caller of Stack.
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
