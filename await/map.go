// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"

	"baton/task"
)

// Map calls fn for every item, each call in its own task, and returns the results in the
// order of the items. It may switch. The first failure cancels the other calls. Map returns
// that error when all calls have ended, like task.Scope.
//
// With an error, Map returns no results, not even those of the calls that succeeded. If
// results must be closed, fn must keep track of them. If ctx is cancelled before the call,
// Map does not call fn and returns the *task.Canceled.
func Map[T, R any](ctx context.Context, items []T, fn func(ctx context.Context, item T) (R, error)) ([]R, error) {
	return MapN(ctx, max(len(items), 1), items, fn)
}

// MapN is like Map, with at most n calls at a time, which begin in the order of the items.
// It panics if n is less than 1. MapN starts at most n tasks, however many items there are.
// Each task handles one item after another, with a task.Checkpoint between two items.
func MapN[T, R any](ctx context.Context, n int, items []T, fn func(ctx context.Context, item T) (R, error)) ([]R, error) {
	if n < 1 {
		misuse("MapN with %d calls at a time; n must be at least 1", n)
	}
	mustHave(fn != nil, "Map")
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, err
	}
	results := make([]R, len(items))
	next := 0
	var failure error
	call := func(ctx context.Context) (err error) {
		defer func() {
			if failure == nil {
				failure = err
			}
		}()
		for err == nil && next < len(items) {
			i := next
			next++
			if results[i], err = fn(ctx, items[i]); err == nil && next < len(items) {
				_, err = task.Checkpoint(ctx)
			}
		}
		return err
	}
	err := task.Scope(ctx, func(ctx context.Context) error {
		for range min(n, len(items)) {
			task.Go(ctx, call)
		}
		return nil
	})
	if err == nil {
		// A scope does not fail if one of its tasks returns only the cancel of a task of
		// the scope. Here, a result is missing in that case, so Map returns the error.
		err = failure
	}
	if err != nil {
		return nil, err
	}
	return results, nil
}
