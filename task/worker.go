// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"baton/internal/relay"
	"baton/loop"
)

// A worker is a goroutine that runs tasks, one after another, and what belongs to the
// task that it runs now. It is the relay.Seat of its relay.Worker.
type worker struct {
	// What a switch touches stands together: see relay.Worker.
	//
	// The wait of its task, while that is parked. It is here and not in the task,
	// for most tasks never wait, and there may be many that have not begun.
	under *node         // the context of the call that parked
	on    Waiter        // what it waits for
	since time.Duration // when it began, on the loop's clock
	abort *Canceled     // the cancel that has ended it, or nil

	task *Ref // nil while idle; task.worker is this one
	relay.Worker

	// shown is task, for the watchdog. It is written when a task begins and cleared
	// when the worker becomes idle, and not for each step: that is what naming steps
	// costs.
	shown atomic.Pointer[Ref]

	timer loop.Timer // of the task's sleep
}

// newWorker makes a worker, for the relay.
func newWorker() (*relay.Worker, relay.Seat) {
	w := &worker{}
	return &w.Worker, w
}

// Take gives the worker a task, by the entry of its first step. The task keeps the
// worker to its end.
func (w *worker) Take(first loop.Runner) {
	r := (*Ref)(first.(*firstStep)) // only this package makes steps for a loop with tasks
	w.task, r.worker = r, w
	w.Near = uintptr(unsafe.Pointer(r))
}

// Work runs the task from its first step to its end. A panic ends here, with the
// task's own stack. No panic value is nil (runtime.PanicNilError), so a deferred call
// that finds neither a return nor a value is in Goexit. r.end never parks, so it may be
// called from there.
func (w *worker) Work() {
	r := w.task
	r.b.hold(r)
	if r.b.watched {
		w.shown.Store(r)
	}
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				r.end(newPanicError(r, v))
			} else {
				r.goexit = true
				r.end(ErrGoexit)
			}
		}
		w.task, r.b.cur = nil, nil
	}()
	err := r.body.run(r)
	returned = true
	r.end(err)
}

// Rest says that the worker is idle. It does not keep its last task from being
// collected.
func (w *worker) Rest() {
	if w.shown.Load() != nil {
		w.shown.Store(nil)
	}
}

// Task returns the task, or nil.
func (w *worker) Task() fmt.Stringer {
	if w.task == nil {
		return nil
	}
	return w.task
}

// Name names the task, for the watchdog. Safe from every goroutine.
func (w *worker) Name() string {
	if r := w.shown.Load(); r != nil {
		return r.String()
	}
	return ""
}
