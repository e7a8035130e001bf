// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"baton/task"
)

// An errand is what a goroutine does while a task waits for its return: the
// task parks until then, whatever happens to its context. What they share goes
// from one to the other with the return, which the loop passes on, so it needs no
// lock.
type errand struct {
	task   *task.Ref
	reason string
	quit   func() bool // asks for an early end; true if the task need not wait for it

	parked bool // end is to wake the task: it may come when the task waits for nothing, or no more

	// What the goroutine leaves behind, besides its result.
	panicked *task.PanicError
	goexit   bool
}

// call calls fn on the errand's goroutine, and keeps a panic or Goexit for the
// task. After a Goexit of fn it does not return either, so what is to follow it
// in any case is deferred by the caller.
func (e *errand) call(fn func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			e.panicked = &task.PanicError{Value: v, Stack: debug.Stack(), Task: fmt.Sprintf("%v, on a goroutine of its own,", e.task)}
			return
		}
		e.goexit = true
	}()
	fn()
	returned = true
}

// wait parks the task until the errand is over; a panic or Goexit of it goes on
// here. It returns the *task.Canceled if quit has ended the wait before; no other
// cancel does, for what was lent to the goroutine must come back.
func (e *errand) wait(ctx context.Context) error {
	e.parked = true
	err := task.Park(ctx, e)
	e.parked = false
	if err != nil {
		return err
	}
	if e.panicked != nil {
		panic(e.panicked)
	}
	if e.goexit {
		runtime.Goexit()
	}
	return nil
}

// end is the errand's return, with the baton. After a wait that was left nobody is
// to be woken: the task is ready already, though its step may be long in coming.
func (e *errand) end() {
	if e.parked {
		e.parked = false
		e.task.Wake()
	}
}

// Cancel asks for an early end. It makes an errand a task.Waiter.
func (e *errand) Cancel(*task.Ref) bool {
	left := e.quit()
	e.parked = !left
	return left
}

func (e *errand) Reason() string      { return e.reason }
func (e *errand) Owners() []*task.Ref { return nil }
