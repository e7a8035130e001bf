// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"unsafe"

	"baton/internal/relay"
	"baton/internal/stack"
	"baton/loop"
)

// newWorker makes a worker, for the relay.
func newWorker() (*relay.Worker, relay.TaskRunner) {
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

// newPanicError is called by the deferred function that has recovered v: the
// stack below it is still that of the panic. The baton remembers the panic
// until somebody has reported it, so that one which is dropped on the way is
// not lost.
func newPanicError(r *Ref, v any) *PanicError {
	p := &PanicError{Value: v, Stack: stack.OfPanic(), Task: r.String()}
	r.b.panics = appendUnowned(r.b.panics, p)
	return p
}

// Rest says that the worker is idle. It does not keep its last task from being
// collected.
func (w *worker) Idle() {
	if w.watchdogTask.Load() != nil {
		w.watchdogTask.Store(nil)
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
	if r := w.watchdogTask.Load(); r != nil {
		return r.String()
	}
	return ""
}
