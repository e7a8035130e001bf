// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"
	"fmt"
)

// ErrGoexit is the error of a task whose function ended by runtime.Goexit, as
// t.FailNow does. It always fails the task's scope. If the task is that of main, Run
// does not return it but ends its own caller by Goexit.
var ErrGoexit = errors.New("task: ended by runtime.Goexit")

// ErrNotDone is returned by Result of a future or task that has none yet.
var ErrNotDone = errors.New("task: not done")

// ErrNotReady is the error of StartReady when the task ended without reporting
// that it is ready.
var ErrNotReady = errors.New("task: ended before it was ready")

// ErrClosed is the error of a function that did not begin because its portal,
// or the portal's loop, was closed.
var ErrClosed = errors.New("task: portal closed")

// ErrStopped is the cause with which Run cancels its tasks when somebody stops
// the loop under them. Run then waits for them, and the loop runs on so long.
var ErrStopped = errors.New("task: the loop was stopped")

// misuse panics with what somebody did to whom and what to do instead.
func misuse(format string, args ...any) {
	panic("task: " + fmt.Sprintf(format, args...))
}

// mustHave panics in the call that was given no function. The task would panic
// when it begins, and nobody could tell any more who started it.
func mustHaveFunc(fn bool, call string) {
	if !fn {
		misuse("%s of a nil function", call)
	}
}
