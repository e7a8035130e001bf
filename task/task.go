// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
)

// A Task is a task with a result of type T. [Start] makes one. ID, Name and String are
// safe for concurrent use. The other methods are for the tasks and callbacks of the
// task's loop, and for other goroutines only while the loop does not run.
type Task[T any] struct {
	Ref
	fn    func(ctx context.Context) (T, error)
	value T // the result, once the task has ended, even with an error
}

// Start starts fn as a task of ctx's scope, and returns the task, whose result the caller
// awaits. The error of fn belongs to the function that called Start: the function of a
// scope or of a task. If that function returns and the task was not awaited (by Await,
// Result, await.All or await.Each), the error fails the scope. A panic or Goexit in fn
// fails the scope at once.
//
// fn begins in the loop's next turn. It runs up to its first switch point even if it is
// cancelled before it begins. Start never switches.
func Start[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *Task[T] {
	n := enter(ctx)
	mustHaveFunc(fn != nil, "Start")
	t := &Task[T]{fn: fn}
	t.body, t.started = t, true
	n.scope.adopt(&t.Ref, n, ctx)
	return t
}

// StartErr is like [Start], for a function that returns only an error.
func StartErr(ctx context.Context, fn func(ctx context.Context) error) *Task[struct{}] {
	n := enter(ctx)
	mustHaveFunc(fn != nil, "StartErr")
	t := &errTask{fn: fn}
	t.body, t.started = t, true
	n.scope.adopt(&t.Ref, n, ctx)
	return &t.Task
}

// An errTask is a task of StartErr.
type errTask struct {
	Task[struct{}]
	fn func(ctx context.Context) error
}

func (t *errTask) run(r *Ref) error { return t.fn(&r.ctx) }

func (t *errTask) function() any { return t.fn }

// A Task is its own body, which saves an allocation.
func (t *Task[T]) run(r *Ref) (err error) {
	t.value, err = t.fn(&r.ctx)
	return err
}

func (t *Task[T]) function() any { return t.fn }

// Await waits until the task has ended, and returns its result. The error then belongs to
// the caller. Await may be called any number of times. If ctx is cancelled, before or
// during the wait, Await returns the *Canceled; the task goes on. If the task has ended,
// Await switches only as [Checkpoint] does. Await panics if a task awaits itself or a task
// of another loop.
func (t *Task[T]) Await(ctx context.Context) (T, error) {
	n := enter(ctx)
	if n.ref.b != t.b {
		misuse("%v of %v awaits %v of %v; use a Portal between loops", n.ref, n.ref.b.loop, &t.Ref, t.b.loop)
	}
	if n.ref == &t.Ref {
		misuse("%v awaits itself; await it in another task", &t.Ref)
	}
	var err error
	if t.state == Done {
		_, err = Checkpoint(ctx)
	} else if c := n.interrupted(ctx); c != nil {
		err = n.ref.endCanceled(c)
	} else if ctx != context.Context(n) {
		t.awaiters.push(n.ref)
		err = n.ref.waitForeign(ctx, n, (*awaitedTask)(&t.Ref))
	} else {
		t.awaiters.push(n.ref)
		n.ref.parkOn(n, (*awaitedTask)(&t.Ref))
		n.ref.park()
		err = n.ref.unparked()
	}
	if err != nil {
		var zero T
		return zero, err
	}
	t.observed = true
	return t.value, t.err
}

// Result returns the result of a task that has ended, or ErrNotDone. As with Await, the
// error then belongs to the caller. Result never switches.
func (t *Task[T]) Result() (T, error) {
	if t.state != Done {
		var zero T
		return zero, ErrNotDone
	}
	t.observed = true
	return t.value, t.err
}

// An awaitedTask is a task as a Waiter for those that await it. They are in its list
// awaiters.
type awaitedTask Ref

func (o *awaitedTask) Reason() string { return "the end of " + (*Ref)(o).String() }

func (o *awaitedTask) Owners() []*Ref { return []*Ref{(*Ref)(o)} }

func (o *awaitedTask) Cancel(r *Ref) bool {
	o.awaiters.remove(r)
	return true
}

// Go starts fn as a background task of ctx's scope. The error of fn belongs to the scope,
// and cancels it. Inside a timeout block the task is also cancelled when the timeout
// passes or the block ends. The same holds for a context of the standard library that ctx
// was derived from. Returning that cancel is no failure: see [Scope].
//
// fn begins in the loop's next turn. It runs up to its first switch point even if it is
// cancelled before it begins. Go never switches.
func Go(ctx context.Context, fn func(ctx context.Context) error) *Ref {
	n := enter(ctx)
	mustHaveFunc(fn != nil, "Go")
	t := &background{fn: fn}
	t.ref.body = t
	n.scope.adopt(&t.ref, n, ctx)
	return &t.ref
}

// A background is a task of Go.
type background struct {
	ref Ref
	fn  func(ctx context.Context) error
}

func (t *background) run(r *Ref) error { return t.fn(&r.ctx) }

func (t *background) function() any { return t.fn }

// StartReady starts fn as a task of ctx's scope, and waits until fn calls ready or ends.
// It returns the value that fn passed to ready. From then on fn is a background task, as
// if started by [Go]. Only the first call of ready has an effect. Trio calls this
// nursery.start.
//
// If fn ends before it calls ready, StartReady returns its error, or ErrNotReady if fn
// returned nil; the scope does not fail. A panic or Goexit always fails the scope.
//
// If ctx is cancelled while StartReady waits, StartReady cancels the task, waits for its
// end and returns the *Canceled. If fn then returns more than that cancel, its error fails
// the scope.
//
// A timeout around ctx cancels the task when the block ends, even after ready. To limit
// only the start, use await.WithDeadline around the whole life of the task, and remove the
// deadline with await.Reschedule when StartReady has returned.
func StartReady[T any](ctx context.Context, fn func(ctx context.Context, ready func(T)) error) (T, error) {
	mustHaveFunc(fn != nil, "StartReady")
	var reported Future[T]
	t := Start(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, launch(enter(ctx).ref, &reported, fn)
	})
	v, err := reported.Await(ctx)
	// ctx was cancelled, and fn may not be: without this, fn would go on although its
	// starter has received an error.
	if err != nil && !t.Ref.Done() {
		t.Ref.Cancel(err)
		shielded, release := Shield(ctx, -1)
		defer release()
		t.Await(shielded)
	}
	return v, err
}

// launch calls fn in r, the task of a StartReady, and decides who owns its error.
// StartReady already waits for reported when r begins. So if no task waits for reported,
// StartReady has its answer: the value, or a cancel if there is no value.
func launch[T any](r *Ref, reported *Future[T], fn func(ctx context.Context, ready func(T)) error) error {
	returned := false
	defer func() {
		if !returned { // a panic or Goexit fails the scope
			reported.tryFail(ErrNotReady)
		}
	}()
	err := fn(&r.ctx, func(v T) {
		r.held("StartReady's ready") // even if the call has no effect
		if reported.awaiters.Len() > 0 {
			reported.Set(v)
			r.started = false // from here on, its errors belong to the scope
		}
	})
	returned = true
	switch {
	case reported.done:
		return err
	case reported.awaiters.Len() > 0:
		if err == nil {
			err = ErrNotReady
		}
		reported.Fail(err)
	case err != nil && !isOnly(err, func(err error) bool { return r.canceledBy(err) != nil }):
		r.ctx.scope.fail(err)
	}
	return nil
}
