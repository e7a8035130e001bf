// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"errors"
	"time"

	"baton/task"
)

// First runs each function as a task and returns the result of the first one that succeeds.
// It cancels the others and waits for their ends. It drops the results of functions that
// succeed too late. To close such results, use a [Race] with Dispose.
//
// If all functions fail, the error joins their errors, in the order of the arguments. If
// ctx was cancelled too, the error is only the *task.Canceled. A function that succeeds
// after the cancel still wins. If ctx is cancelled before the call, First calls no function
// and returns the *task.Canceled. First panics if there are no functions.
func First[T any](ctx context.Context, fns ...func(ctx context.Context) (T, error)) (T, error) {
	return Race[T]{}.First(ctx, fns...)
}

// A Race runs functions like the function First, with options. The zero value has the
// defaults.
type Race[T any] struct {
	// Delay staggers the starts. Each function starts when Delay has passed since the
	// start of the previous one, or earlier if a running function fails. Zero starts all
	// functions at once. With a negative Delay, a function starts only when all previous
	// ones have failed. RFC 8305 (happy eyeballs) uses such a delay.
	Delay time.Duration

	// Dispose receives the results of functions that succeed too late. It runs in their
	// tasks, before First returns, and must not switch.
	Dispose func(T)
}

// First is like the function First, with the options of the Race.
func (r Race[T]) First(ctx context.Context, fns ...func(ctx context.Context) (T, error)) (T, error) {
	if len(fns) == 0 {
		misuse("First of no functions; pass at least one")
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

// A race is the state of one call of First.
type race[T any] struct {
	Race[T]
	running int     // the number of started functions that have not ended
	errs    []error // in the order of the functions
	won     bool    // result is set; later results are disposed of
	result  T
	starter task.WaitQueue // the task in pause; woken when a function ends
}

// start starts the functions in the scope of ctx. It may switch between two starts. The
// winner cancels that scope. After that cancel, or a cancel of First's ctx, start starts no
// more functions.
func (r *race[T]) start(ctx context.Context, fns []func(ctx context.Context) (T, error)) error {
	scope := task.ScopeOf(ctx)
	for i, fn := range fns {
		if i > 0 && r.Delay != 0 {
			if r.pause(ctx) != nil {
				return nil // a running function may still succeed
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

// pause waits until the next function may start. It returns the cancel of ctx, which comes
// from the winner or from outside. The end of its own timer is no error.
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

// dispose disposes of a result that First does not return.
func (r *race[T]) dispose(v T) {
	if r.Dispose != nil {
		r.Dispose(v)
	}
}
