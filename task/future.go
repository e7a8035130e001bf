// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"

	"baton/loop"
)

// A Future is a result that is not there yet: tasks await it, somebody sets it
// once. The zero value is ready to use; it belongs to the loop of the first
// task that awaits it. From then on, while that loop runs, only the holder of
// its baton may use it: a task or a callback. Other goroutines set it through a
// Portal. A Future must not be copied once it is in use.
type Future[T any] struct {
	loop      *loop.Loop // nil until somebody awaits it or adds a callback
	done      bool
	value     T     // these two are set together with done,
	err       error // and one of them is the zero value
	awaiters  WaitQueue
	callbacks callbacks // empty once done
}

// Await waits for the result, as often as it is asked. It returns what was set,
// or the error of Fail; or the *Canceled if ctx is cancelled, already or before
// the result comes, which ends the wait and not the future. A future that has
// its result switches only when the task's budget is spent.
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

// bind makes l the future's loop for good; who, a task of l, is for messages.
func (f *Future[T]) bind(l *loop.Loop, who string) {
	if f.loop == nil {
		f.loop = l
	} else if f.loop != l {
		misuse("%s of %v uses a future of %v; use a Portal between loops", who, l, f.loop)
	}
}

// Set sets the value and wakes those who wait, in the order of their Awaits. It
// never switches: they run in the loop's next turn. A second Set or Fail is
// misuse and panics.
func (f *Future[T]) Set(v T) {
	if !f.TrySet(v) {
		misuse("Set of a future that is done; use TrySet where several may come")
	}
}

// TrySet sets the value, as Set does, unless the future is done, and reports
// whether it did.
func (f *Future[T]) TrySet(v T) bool { return f.finish(v, nil) }

// Fail sets the error, as Set sets the value; it must not be nil. A second Set
// or Fail is misuse and panics.
func (f *Future[T]) Fail(err error) {
	if !f.tryFail(err) {
		misuse("Fail of a future that is done; use TryFail where several may come")
	}
}

// TryFail sets the error, as Fail does, unless the future is done, and reports
// whether it did. A nil error is misuse here, too.
func (f *Future[T]) TryFail(err error) bool { return f.tryFail(err) }

func (f *Future[T]) tryFail(err error) bool {
	if err == nil {
		misuse("Fail of a future with a nil error; use Set")
	}
	var zero T
	return f.finish(zero, err)
}

// finish sets the result, unless there is one, and tells everybody: awaiters
// first, then callbacks, each in the order in which they came.
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

// held panics unless the caller may use the future. One that belongs to no loop
// yet, or to a loop that does not run, is in the hands of whoever made it.
func (f *Future[T]) held(what string) {
	if f.loop != nil && !f.loop.Held() && f.loop.IsRunning() {
		misuse("a future of %v is %s by a goroutine that does not hold its baton; use a Portal", f.loop, what)
	}
}

// Done reports whether the future has its result. It never switches; see the
// type for who may ask.
func (f *Future[T]) Done() bool { return f.done }

// Result returns the result, or ErrNotDone if there is none yet. It never
// switches.
func (f *Future[T]) Result() (T, error) {
	if !f.done {
		var zero T
		return zero, ErrNotDone
	}
	return f.value, f.err
}

// AddDoneCallback has fn run as a callback of the loop when the result is there,
// never at once, not even if it is there already: callbacks run in the order in
// which they were added. The returned function removes it and reports whether
// it was still to run. fn must not switch; a panic in it goes to the loop's
// exception handler. The caller holds the baton, which makes its loop the
// future's if that has none yet. PEP 3156 has it under the same name.
func (f *Future[T]) AddDoneCallback(fn func(*Future[T])) (remove func() bool) {
	mustHaveFunc(fn != nil, "Future.AddDoneCallback")
	if f.loop == nil {
		f.loop = loop.Current()
		if f.loop == nil {
			misuse("AddDoneCallback outside a running loop, on a future that no task has awaited")
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
