// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
)

// A Task is a function that runs one step at a time, interleaved with the other
// tasks of its loop, and its result. Start makes it. Everything but its ID,
// Name and String belongs to the loop: to whoever holds the baton.
type Task[T any] struct {
	Ref
	fn    func(ctx context.Context) (T, error)
	value T // the result, once the task has ended; stands beside an error too
}

// Start starts fn as a task of ctx's scope, for its result. Its error belongs to the
// function that calls Start, that of the scope or of a task. If that function returns
// and the task has not been awaited (Await, Result, await.All, await.Each), the error
// fails the scope. A panic or Goexit always fails the scope, at once.
//
// The task begins in the loop's next turn and runs up to its first switch point even
// if it is cancelled before. Start itself never switches.
func Start[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *Task[T] {
	n := enter(ctx)
	mustHaveFunc(fn != nil, "Start")
	t := &Task[T]{fn: fn}
	t.body, t.started = t, true
	n.scope.adopt(&t.Ref, n, ctx)
	return t
}

// StartErr is Start for a function that has only an error.
func StartErr(ctx context.Context, fn func(ctx context.Context) error) *Task[struct{}] {
	n := enter(ctx)
	mustHaveFunc(fn != nil, "StartErr")
	t := &errTask{fn: fn}
	t.body, t.started = t, true
	n.scope.adopt(&t.Ref, n, ctx)
	return &t.Task
}

// errTask is a task of StartErr.
type errTask struct {
	Task[struct{}]
	fn func(ctx context.Context) error
}

func (t *errTask) run(r *Ref) error { return t.fn(&r.ctx) }

func (t *errTask) function() any { return t.fn }

// run and function make the task its own body, which is one allocation for
// both.
func (t *Task[T]) run(r *Ref) (err error) {
	t.value, err = t.fn(&r.ctx)
	return err
}

func (t *Task[T]) function() any { return t.fn }

// Await waits for the task's end and returns its result, as often as it is
// asked. A cancel of ctx ends the wait, not the task, and the error is the
// *Canceled then. Of a task that has ended it switches only when the caller's
// budget is spent. A task that awaits itself, or one of another loop, is misuse
// and panics.
func (t *Task[T]) Await(ctx context.Context) (T, error) {
	n := enter(ctx)
	if n.ref.b != t.b {
		misuse("%v of %v awaits %v of %v; use a Portal between loops", n.ref, n.ref.b.loop, &t.Ref, t.b.loop)
	}
	if n.ref == &t.Ref {
		misuse("%v awaits itself", &t.Ref)
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

// Result returns the result of a task that has ended, or ErrNotDone. As with
// Await the error is the caller's from then on. It never switches.
func (t *Task[T]) Result() (T, error) {
	if t.state != Done {
		var zero T
		return zero, ErrNotDone
	}
	t.observed = true
	return t.value, t.err
}

// outcome is a task as what others wait for. It is a Waiter without an
// allocation; the waiting tasks stand in awaiters.
type awaitedTask Ref

func (o *awaitedTask) Reason() string { return "the end of " + (*Ref)(o).String() }

func (o *awaitedTask) Owners() []*Ref { return []*Ref{(*Ref)(o)} }

func (o *awaitedTask) Cancel(r *Ref) bool {
	o.awaiters.remove(r)
	return true
}

// Go starts fn as a task of ctx's scope, as background work: its error is the
// scope's, and cancels it. A timeout between the scope and ctx cancels the task when
// its time has passed or its block ends, and so does a standard context there; to
// return that cancel is no failure (see [Scope]). The task begins in the loop's next
// turn and runs up to its first switch point even if it is cancelled before. Go
// itself never switches.
func Go(ctx context.Context, fn func(ctx context.Context) error) *Ref {
	n := enter(ctx)
	mustHaveFunc(fn != nil, "Go")
	t := &background{fn: fn}
	t.ref.body = t
	n.scope.adopt(&t.ref, n, ctx)
	return &t.ref
}

// background is a task of Go.
type background struct {
	ref Ref
	fn  func(ctx context.Context) error
}

func (t *background) run(r *Ref) error { return t.fn(&r.ctx) }

func (t *background) function() any { return t.fn }

// StartReady starts fn as a task of ctx's scope and waits until fn reports that it is
// ready, with a value, or has ended. From then on fn is background work like that of
// Go. StartReady returns an error that comes before; the scope does not fail for it.
// If fn ends without a report, StartReady returns ErrNotReady. A panic or Goexit
// always fails the scope. Only the first report has an effect.
//
// If ctx is cancelled while StartReady waits, the task is cancelled and awaited, and
// StartReady returns the *Canceled. An error of fn that says more than that fails the
// scope. Trio calls this nursery.start.
//
// A timeout around ctx ends the service when its block ends, as Go says. To bound only
// the start, make an await.WithDeadline that lasts as long as the service, and take
// the time away with await.Reschedule when the service is ready.
func StartReady[T any](ctx context.Context, fn func(ctx context.Context, ready func(T)) error) (T, error) {
	mustHaveFunc(fn != nil, "StartReady")
	var reported Future[T]
	t := Start(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, launch(enter(ctx).ref, &reported, fn)
	})
	v, err := reported.Await(ctx)
	// The wait was cancelled, not fn: it must not go on where nobody knows of it,
	// and its end is awaited as that of every task, however long that takes.
	if err != nil && !t.Ref.Done() {
		t.Ref.Cancel(err)
		shielded, release := Shield(ctx, -1)
		defer release()
		t.Await(shielded)
	}
	return v, err
}

// launch calls fn in r, the task of a StartReady, and decides whose its error is.
// The caller waits for reported by the time r begins, so an empty line means that
// it has its answer: the value or, while there is none, a cancel.
func launch[T any](r *Ref, reported *Future[T], fn func(ctx context.Context, ready func(T)) error) error {
	returned := false
	defer func() {
		if !returned { // a panic or Goexit, which is the scope's
			reported.tryFail(ErrNotReady)
		}
	}()
	err := fn(&r.ctx, func(v T) {
		r.held("StartReady's ready") // also when it comes too late
		if reported.awaiters.Len() > 0 {
			reported.Set(v)
			r.started = false // from here on its errors are the scope's
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
