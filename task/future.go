// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"slices"

	"baton/loop"
)

// ErrNotReady is the error of StartReady when the task ended without reporting
// that it is ready.
var ErrNotReady = errors.New("task: ended before it was ready")

// A Future is a result that is not there yet: tasks await it, somebody sets it
// once. The zero value is ready to use; it belongs to the loop of the first task
// that awaits it.
type Future[T any] struct {
	loop      *loop.Loop
	done      bool
	value     T
	err       error
	awaiters  WaitQueue
	callbacks []*callback
}

// Await waits for the result, as often as it is asked. A future that has one
// switches only when the task's budget is spent.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	n := enter(ctx, "Future.Await")
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

func (f *Future[T]) bind(l *loop.Loop, who string) {
	if f.loop == nil {
		f.loop = l
	} else if f.loop != l {
		misuse("%s of %v uses a future of %v; use a Portal between loops", who, l, f.loop)
	}
}

// Set sets the value. A second Set or Fail is misuse and panics.
func (f *Future[T]) Set(v T) {
	if !f.TrySet(v) {
		misuse("Set of a future that is done; use TrySet where several may come")
	}
}

// TrySet sets the value unless the future is done.
func (f *Future[T]) TrySet(v T) bool { return f.finish(v, nil) }

// Fail sets the error, which must not be nil. A second Set or Fail is misuse
// and panics.
func (f *Future[T]) Fail(err error) {
	if !f.tryFail(err) {
		misuse("Fail of a future that is done; use TryFail where several may come")
	}
}

// TryFail sets the error unless the future is done.
func (f *Future[T]) TryFail(err error) bool { return f.tryFail(err) }

func (f *Future[T]) tryFail(err error) bool {
	if err == nil {
		misuse("Fail of a future with a nil error; use Set")
	}
	var zero T
	return f.finish(zero, err)
}

func (f *Future[T]) finish(v T, err error) bool {
	f.held("set")
	if f.done {
		return false
	}
	f.done, f.value, f.err = true, v, err
	f.awaiters.WakeAll()
	for _, c := range f.callbacks {
		c.queue(f.loop)
	}
	f.callbacks = nil
	return true
}

// held panics unless the caller may use the future.
func (f *Future[T]) held(what string) {
	if f.loop != nil && !f.loop.Held() && f.loop.IsRunning() {
		misuse("a future of %v is %s by a goroutine that does not hold its baton; use a Portal", f.loop, what)
	}
}

// Done reports whether the future has its result.
func (f *Future[T]) Done() bool { return f.done }

// Result returns the result, and ErrNotDone if there is none yet.
func (f *Future[T]) Result() (T, error) {
	if !f.done {
		var zero T
		return zero, ErrNotDone
	}
	return f.value, f.err
}

// AddDoneCallback has fn run as a callback of the loop when the result is there,
// never at once: callbacks run in the order in which they were added. The
// returned function removes it and reports whether it was still to run.
func (f *Future[T]) AddDoneCallback(fn func(*Future[T])) (remove func() bool) {
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
		c.list = &f.callbacks
		f.callbacks = append(f.callbacks, c)
	}
	return c.remove
}

// A callback is a done callback: to be queued, queued, or removed.
type callback struct {
	fn      func()
	list    *[]*callback // where it waits for the result
	handle  *loop.Handle
	removed bool
}

func (c *callback) queue(l *loop.Loop) {
	if !c.removed {
		c.handle = l.CallSoon(c.fn)
	}
}

func (c *callback) remove() bool {
	if c.removed || c.handle != nil && !c.handle.Pending() {
		return false
	}
	c.removed = true
	if c.handle != nil {
		c.handle.Cancel()
	} else {
		*c.list = slices.DeleteFunc(*c.list, func(other *callback) bool { return other == c })
	}
	return true
}

// AddDoneCallback has fn run as a callback of the loop when the task has ended;
// see [Future.AddDoneCallback].
func (r *Ref) AddDoneCallback(fn func(*Ref)) (remove func() bool) {
	r.held("AddDoneCallback")
	c := &callback{fn: func() { fn(r) }}
	if r.state == Done {
		c.queue(r.b.loop)
		return c.remove
	}
	x := r.more()
	c.list = &x.callbacks
	x.callbacks = append(x.callbacks, c)
	return c.remove
}
