// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"unsafe"

	"baton/internal/relay"
	"baton/internal/stack"
	"baton/loop"
)

// newWorker makes a worker for the relay.
func newWorker() (*relay.Worker, relay.TaskRunner) {
	w := &worker{}
	return &w.Worker, w
}

// Take gives the worker a task, by the entry of its first step. The worker runs the task
// to its end.
func (w *worker) Take(first loop.Runner) {
	r := (*Ref)(first.(*firstStep)) // all first steps on a loop with tasks come from this package
	w.task, r.worker = r, w
	w.Near = uintptr(unsafe.Pointer(r))
}

// Work runs the task from its first step to its end. It recovers a panic. If the function
// neither returned nor panicked, it called Goexit: recover never returns nil for a panic,
// because of runtime.PanicNilError. r.end never parks, so the deferred function may call
// it.
func (w *worker) Work() {
	r := w.task
	r.b.hold(r)
	if r.b.hasWatchdog {
		w.watchdogTask.Store(r)
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

// newPanicError makes the error for a panic with v. The deferred function that recovered v
// calls it: the stack below is still the stack of the panic. The baton records the panic
// until it is reported, so that a panic in a dropped error is not lost.
func newPanicError(r *Ref, v any) *PanicError {
	p := &PanicError{Value: v, Stack: stack.OfPanic(), Task: r.String()}
	r.b.panics = appendUnowned(r.b.panics, p)
	return p
}

// Idle is called when the worker becomes idle. It drops the reference to the task.
func (w *worker) Idle() {
	if w.watchdogTask.Load() != nil {
		w.watchdogTask.Store(nil)
	}
}

// Task returns the current task, or nil.
func (w *worker) Task() fmt.Stringer {
	if w.task == nil {
		return nil
	}
	return w.task
}

// Name returns the name of the current task, for the watchdog. It is safe for concurrent
// use.
func (w *worker) Name() string {
	if r := w.watchdogTask.Load(); r != nil {
		return r.String()
	}
	return ""
}
