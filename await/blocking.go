// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"sync/atomic"

	"baton/loop"
	"baton/task"
)

// Blocking calls fn on a goroutine of the loop's executor and returns the result of fn.
// Other tasks run meanwhile. Use it for code that would stop the loop: long computations,
// blocking system calls, and libraries that wait for their own goroutines.
//
// The ctx of fn is cancelled together with ctx, and has its values. Pass it to calls of the
// standard library. Calls of Baton panic with it, because it belongs to no task. If fn
// needs the loop, it uses a task.Portal.
//
// If ctx is cancelled, Blocking still waits for fn and returns its result, because a
// goroutine cannot be stopped. Blocking drops fn and returns the *task.Canceled only if fn
// has not begun because the executor is full. For functions that ignore their ctx, see
// [Abandon].
//
// If fn panics, Blocking panics with a *task.PanicError that has the stack of fn. If fn
// ends by runtime.Goexit, the calling task ends by Goexit too.
func Blocking[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	mustHave(fn != nil, "Blocking")
	return offload(ctx, fn, func(*job[T]) bool { return false })
}

// Abandon is like Blocking, but returns the *task.Canceled as soon as ctx is cancelled. fn
// then runs on, and occupies its place in the executor until it ends. Nothing waits for it,
// not even the end of the loop.
//
// When an abandoned fn returns, its goroutine calls dispose with the result. dispose may be
// nil. If an abandoned fn panics, the loop's exception handler receives the panic; without
// a loop, the panic is logged.
func Abandon[T any](ctx context.Context, fn func(ctx context.Context) (T, error), dispose func(T, error)) (T, error) {
	mustHave(fn != nil, "Abandon")
	return offload(ctx, fn, func(j *job[T]) bool {
		j.dispose = dispose
		return j.outcome.CompareAndSwap(running, abandoned)
	})
}

// A job is a function in the executor. It embeds the wait of the calling task.
type job[T any] struct {
	blockingCall
	value   T
	err     error
	outcome atomic.Int32
	dispose func(T, error) // set before outcome becomes abandoned
}

// The outcomes of a job. Either the end of the function or the task that abandons it sets
// the outcome, once.
const (
	running = iota
	finished
	abandoned
)

// offload calls fn in the executor and waits for its end. After a cancel, it stops waiting
// if fn has not begun, or if leave returns true.
func offload[T any](ctx context.Context, fn func(ctx context.Context) (T, error), leave func(*job[T]) bool) (T, error) {
	var none T
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return none, err
	}
	fnCtx, stop := context.WithCancel(ctx)
	defer stop()
	j := &job[T]{blockingCall: blockingCall{task: r, reason: "blocking code"}}
	queued := r.Loop().RunInExecutor(func() {
		j.call(func() { j.value, j.err = fn(fnCtx) })
		if !j.outcome.CompareAndSwap(running, finished) {
			j.finishAbandoned()
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

// finishAbandoned handles the result or panic of an abandoned function, on the function's
// goroutine.
func (j *job[T]) finishAbandoned() {
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
	// The executor passes the panic to the exception handler, or to the log without a loop.
	panic(loop.Exception{
		Message: "await: an abandoned function panicked",
		Err:     err,
		Stack:   p.Stack,
	})
}
