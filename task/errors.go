// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"
	"fmt"
)

// ErrGoexit is the error of a task whose function ended by runtime.Goexit, as t.FailNow
// does. It always fails the scope of the task. If the main task ended by Goexit, Run does
// not return ErrGoexit, but ends its caller by Goexit.
var ErrGoexit = errors.New("task: ended by runtime.Goexit")

// ErrNotDone is returned by the Result method of a future or task that has no result yet.
var ErrNotDone = errors.New("task: not done")

// ErrNotReady is returned by StartReady if the task ended without reporting that it is
// ready.
var ErrNotReady = errors.New("task: ended before it was ready")

// ErrClosed is the error of a portal's function that did not begin because the portal or
// its loop was closed.
var ErrClosed = errors.New("task: portal closed")

// ErrStopped is the cause with which Run cancels its tasks when the loop is stopped while
// they run. Run then keeps the loop running until the tasks have ended.
var ErrStopped = errors.New("task: the loop was stopped")

// misuse panics. The message says what went wrong, with which task or loop, and what to
// do.
func misuse(format string, args ...any) {
	panic("task: " + fmt.Sprintf(format, args...))
}

// mustHaveFunc panics in the call that was passed a nil function. Otherwise the task would
// panic when it begins, in a stack that does not show which call started it.
func mustHaveFunc(fn bool, call string) {
	if !fn {
		misuse("%s called with a nil function; pass the function to run", call)
	}
}
