// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"

	"baton/loop"
)

// A Future is a result that is set once and that any number of tasks can await. The zero
// value is ready to use. A Future must not be copied after first use.
//
// It belongs to the loop of the first task that awaits it, or of the first
// AddDoneCallback. From then on, while that loop runs, only tasks and callbacks of the
// loop may use it. Other goroutines set it through a [Portal].
type Future[T any] struct {
	loop      *loop.Loop // nil until the first Await or AddDoneCallback
	done      bool
	value     T     // value and err are set together with done;
	err       error // one of them is the zero value
	awaiters  WaitQueue
	callbacks callbacks // empty once done
}

// Await waits for the result and returns it: the value of Set or the error of Fail. It may
// be called any number of times. If ctx is cancelled, before or during the wait, Await
// returns the *Canceled; the future is not affected. If the result is there, Await
// switches only as [Checkpoint] does.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	n := enter(ctx)
	f.bind(n.ref.b.loop, n.ref.String())
	if !f.done {
		if err := f.awaiters.Wait(ctx, Text("a future")); err != nil {
			var zero T
			return zero, err
		}
	} else if _, err := Checkpoint(ctx); err != nil {
		var zero T
		return zero, err
	}
	return f.value, f.err
}

// bind makes l the loop of the future. who, a task of l, is for messages.
func (f *Future[T]) bind(l *loop.Loop, who string) {
	if f.loop == nil {
		f.loop = l
	} else if f.loop != l {
		misuse("%s of %v uses a future of %v; use a task.Portal between loops", who, l, f.loop)
	}
}

// Set sets the value and wakes the waiting tasks in the order of their Awaits: they run in
// the loop's next turn. Set never switches. It panics if the future has a result already.
func (f *Future[T]) Set(v T) {
	if !f.TrySet(v) {
		misuse("Set of a future that has a result; use TrySet if several callers may set it")
	}
}

// TrySet is like Set, but returns false if the future has a result already.
func (f *Future[T]) TrySet(v T) bool { return f.finish(v, nil) }

// Fail sets the error, and is otherwise like Set. It panics if err is nil.
func (f *Future[T]) Fail(err error) {
	if !f.tryFail(err) {
		misuse("Fail of a future that has a result; use TryFail if several callers may set it")
	}
}

// TryFail is like Fail, but returns false if the future has a result already.
func (f *Future[T]) TryFail(err error) bool { return f.tryFail(err) }

func (f *Future[T]) tryFail(err error) bool {
	if err == nil {
		misuse("Fail of a future with a nil error; use Set")
	}
	var zero T
	return f.finish(zero, err)
}

// finish sets the result, unless there is one. It then wakes the awaiters and queues the
// callbacks, both in the order of their arrival.
func (f *Future[T]) finish(v T, err error) bool {
	f.held("set")
	if f.done {
		return false
	}
	f.done, f.value, f.err = true, v, err
	f.awaiters.WakeAll()
	f.callbacks.queue(f.loop)
	return true
}

// held panics unless the caller may use the future. A future without a loop, or whose loop
// does not run, may be used by any goroutine.
func (f *Future[T]) held(what string) {
	if f.loop != nil && !f.loop.Held() && f.loop.IsRunning() {
		misuse("a future of %v is %s by a goroutine that does not hold its baton; use a task.Portal", f.loop, what)
	}
}

// Done reports whether the future has its result. It never switches.
func (f *Future[T]) Done() bool { return f.done }

// Result returns the result, or ErrNotDone if there is none yet. It never switches.
func (f *Future[T]) Result() (T, error) {
	if !f.done {
		var zero T
		return zero, ErrNotDone
	}
	return f.value, f.err
}

// AddDoneCallback makes the loop call fn when the result is set. If the result is there
// already, the loop calls fn in its next turn, and never during AddDoneCallback. Callbacks
// run in the order in which they were added. fn must not switch. A panic in fn goes to the
// loop's exception handler. The returned function removes fn, and reports false if fn has
// run or was removed.
//
// The caller must be a task or callback of a running loop. PEP 3156 has the same method.
func (f *Future[T]) AddDoneCallback(fn func(*Future[T])) (remove func() bool) {
	mustHaveFunc(fn != nil, "Future.AddDoneCallback")
	if f.loop == nil {
		f.loop = loop.Current()
		if f.loop == nil {
			misuse("AddDoneCallback of a future without a loop, outside a running loop; call it in a task or callback")
		}
	}
	f.held("given a callback")
	c := &callback{fn: func() { fn(f) }}
	if f.done {
		c.queue(f.loop)
	} else {
		f.callbacks.add(c)
	}
	return c.remove
}
