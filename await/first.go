// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"errors"
	"time"

	"baton/task"
)

// First runs the functions as tasks and returns the result of the first one that
// succeeds. The others are cancelled, and awaited. If all fail the error joins
// theirs, in the order of the arguments; if ctx was cancelled besides, it is the
// *task.Canceled alone. A success counts even then. If ctx is cancelled already,
// First calls nothing and returns the *task.Canceled. No functions at all are
// misuse and panic.
//
// A function that succeeds too late has its result dropped; if it must be
// closed, use a [Race] that disposes of it.
func First[T any](ctx context.Context, fns ...func(ctx context.Context) (T, error)) (T, error) {
	return Race[T]{}.First(ctx, fns...)
}

// A Race says how First runs its functions. The zero value is the default.
type Race[T any] struct {
	// Delay staggers the starts: each function is started when this time has
	// passed since the start of the one before, or when one has failed
	// meanwhile. Zero starts all at once. Negative starts one only when all
	// before have failed. RFC 8305 (happy eyeballs) asks for this.
	Delay time.Duration

	// Dispose is given the results of functions that succeed too late. It runs
	// in their tasks, before First returns, and must not switch.
	Dispose func(T)
}

// First is like the function First, with what the Race says.
func (r Race[T]) First(ctx context.Context, fns ...func(ctx context.Context) (T, error)) (T, error) {
	if len(fns) == 0 {
		misuse("First of no functions")
	}
	for _, fn := range fns {
		mustHave(fn != nil, "First")
	}
	var none T
	if _, err := task.Checkpoint(ctx); err != nil {
		return none, err
	}
	run := &race[T]{Race: r, errs: make([]error, len(fns))}
	err := task.Scope(ctx, func(ctx context.Context) error { return run.start(ctx, fns) })
	switch cancel := task.Check(ctx); {
	case run.won && err == nil:
		return run.result, nil
	case run.won: // a function panicked, or called Goexit
		run.dispose(run.result)
		return none, err
	case err == nil:
		err = errors.Join(run.errs...)
		if cancel != nil {
			err = cancel
		}
	}
	return none, err
}

// A race is a First that runs.
type race[T any] struct {
	Race[T]
	running int     // functions that have been started and have not ended
	errs    []error // by the place of the function, not by the time
	won     bool    // result is that of First, and all others are disposed of
	result  T
	starter task.WaitQueue // is woken when a function has ended
}

// start starts the functions in the scope of ctx. It may switch, between two of
// them. The winner cancels that scope, so a start that is still to come does not
// happen; nor does one after a cancel of First, which is First's to return.
func (r *race[T]) start(ctx context.Context, fns []func(ctx context.Context) (T, error)) error {
	scope := task.ScopeOf(ctx)
	for i, fn := range fns {
		if i > 0 && r.Delay != 0 {
			if r.pause(ctx) != nil {
				return nil // no failure: a function that runs may still succeed
			}
		}
		r.running++
		task.Go(ctx, func(ctx context.Context) error {
			v, err := fn(ctx)
			r.running--
			switch {
			case err != nil:
				r.errs[i] = err
			case r.won:
				r.dispose(v)
			default:
				r.won, r.result = true, v
				scope.Cancel(nil)
			}
			r.starter.WakeOne()
			return nil
		})
	}
	return nil
}

// pause waits until the next function is to be started. The error is the cancel of
// ctx, from outside or by the winner. That its own timer has ended the wait is
// none.
func (r *race[T]) pause(ctx context.Context) error {
	if r.Delay > 0 {
		timed, release := WithTimeout(ctx, r.Delay)
		defer release()
		r.starter.Wait(timed, task.Text("one of First's functions to fail"))
		return task.Check(ctx)
	}
	for r.running > 0 {
		if err := r.starter.Wait(ctx, task.Text("First's function to fail")); err != nil {
			return err
		}
	}
	return task.Check(ctx)
}

// dispose is for a result that nobody will get.
func (r *race[T]) dispose(v T) {
	if r.Dispose != nil {
		r.Dispose(v)
	}
}
