// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"runtime"

	"baton/internal/stack"
	"baton/task"
)

// A blockingCall is a function that runs on another goroutine while a task waits for it. It
// makes the task park until the function has ended, even if ctx is cancelled, unless quit
// allows the task to leave. The loop reports the end of the function to the task, so the
// fields that the goroutine writes need no lock.
type blockingCall struct {
	task   *task.Ref
	reason string
	quit   func() bool // asks the function to end early; returns true if the task need not wait

	parked bool // the task waits, and end must wake it

	// Set by the goroutine.
	panicked *task.PanicError
	goexit   bool
}

// call calls fn on the current goroutine, and keeps a panic or Goexit for the task. After a
// Goexit of fn, call does not return either: the caller must defer what follows.
func (b *blockingCall) call(fn func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			b.panicked = &task.PanicError{Value: v, Stack: stack.OfPanic(), Task: fmt.Sprintf("%v, on a goroutine of its own,", b.task)}
			return
		}
		b.goexit = true
	}()
	fn()
	returned = true
}

// wait parks the task until the function has ended, and then continues its panic or Goexit.
// If ctx is cancelled, wait returns the *task.Canceled only if quit returned true.
// Otherwise the task keeps waiting, because the function uses what the task has lent to it.
func (b *blockingCall) wait(ctx context.Context) error {
	b.parked = true
	err := task.Park(ctx, b)
	b.parked = false
	if err != nil {
		return err
	}
	if b.panicked != nil {
		panic(b.panicked)
	}
	if b.goexit {
		runtime.Goexit()
	}
	return nil
}

// end reports the end of the function. Its caller holds the baton. If the task no longer
// waits, end does nothing: a task that left is already ready.
func (b *blockingCall) end() {
	if b.parked {
		b.parked = false
		b.task.Wake()
	}
}

// Cancel asks the function to end early. It makes a blockingCall a task.Waiter.
func (b *blockingCall) Cancel(*task.Ref) bool {
	left := b.quit()
	b.parked = !left
	return left
}

func (b *blockingCall) Reason() string      { return b.reason }
func (b *blockingCall) Owners() []*task.Ref { return nil }
