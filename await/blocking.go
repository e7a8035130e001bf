// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"sync/atomic"

	"baton/loop"
	"baton/task"
)

// Blocking calls fn on a goroutine of the loop's executor, and returns its
// result; other tasks run meanwhile. It is the way to call what would stop the
// loop: computations, blocking system calls, libraries that wait for goroutines
// of their own.
//
// The ctx of fn is cancelled with that of the task, has its values and is made
// for that goroutine: it goes to calls of the standard library, and not to calls
// of Baton, which belong to a task and panic. A goroutine that needs the loop
// uses a task.Portal.
//
// Nothing can stop a goroutine, so after a cancel Blocking still waits for fn to
// end, and returns what it returns; only a function that has not begun, because
// the executor is full, is dropped with the *task.Canceled. See [Abandon] for
// functions that do not listen. A panic of fn becomes one of the task, with a
// *task.PanicError that has the stack of the goroutine; if fn ends by
// runtime.Goexit, so does the task.
func Blocking[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	mustHave(fn != nil, "Blocking")
	return offload(ctx, fn, func(*job[T]) bool { return false })
}

// Abandon is like Blocking, except that it returns as soon as ctx is cancelled,
// with the *task.Canceled. Then fn goes on alone; dispose is called on its
// goroutine with its result, and may be nil. A panic of fn is then given to the
// loop's exception handler, and logged if the loop is gone. Nothing waits for fn
// any more, not even the end of the loop; it keeps its place in the executor until
// it ends.
func Abandon[T any](ctx context.Context, fn func(ctx context.Context) (T, error), dispose func(T, error)) (T, error) {
	mustHave(fn != nil, "Abandon")
	return offload(ctx, fn, func(j *job[T]) bool {
		j.dispose = dispose
		return j.fate.CompareAndSwap(running, abandoned)
	})
}

// A job is a function in the executor.
type job[T any] struct {
	errand
	value   T
	err     error
	fate    atomic.Int32
	dispose func(T, error) // set before the job is abandoned
}

// The fate of a job is decided once: by its end, or by the task that leaves.
const (
	running = iota
	finished
	abandoned
)

// offload calls fn in the executor and waits for its end, or for a cancel if
// leave then says so.
func offload[T any](ctx context.Context, fn func(ctx context.Context) (T, error), leave func(*job[T]) bool) (T, error) {
	var none T
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return none, err
	}
	lent, stop := context.WithCancel(ctx)
	defer stop()
	j := &job[T]{errand: errand{task: r, reason: "blocking code"}}
	queued := r.Loop().RunInExecutor(func() {
		j.call(func() { j.value, j.err = fn(lent) })
		if !j.fate.CompareAndSwap(running, finished) {
			j.late()
		}
	}, j.end)
	j.quit = func() bool {
		if queued.Cancel() {
			return true
		}
		if !leave(j) {
			return false
		}
		queued.Abandon()
		return true
	}
	if err := j.wait(ctx); err != nil {
		return none, err
	}
	return j.value, j.err
}

// late is the end of an abandoned job, on its goroutine.
func (j *job[T]) late() {
	p := j.panicked
	if p == nil {
		if j.dispose != nil && !j.goexit {
			j.dispose(j.value, j.err)
		}
		return
	}
	err := p.Unwrap()
	if err == nil {
		err = fmt.Errorf("%v", p.Value)
	}
	panic(loop.Exception{ // which is the way to the exception handler, and to the log without a loop
		Message: "await: an abandoned function panicked",
		Err:     err,
		Stack:   p.Stack,
	})
}
