// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"

	"baton/task"
)

// Map calls fn for every item, each call in a task of its own, and returns the
// results in the order of the items. The first failure cancels the other calls
// and is returned when they have ended, as by a task.Scope. It may switch. With an
// error there are no results, also not those of calls that succeeded: what must
// be closed is fn's to remember. If ctx is cancelled already, Map calls nothing and
// returns the *task.Canceled.
func Map[T, R any](ctx context.Context, items []T, fn func(ctx context.Context, item T) (R, error)) ([]R, error) {
	return MapN(ctx, max(len(items), 1), items, fn)
}

// MapN is like Map with at most n calls at a time, which begin in the order of
// the items. An n below one panics. It starts n tasks at most, each of which takes
// one item after another, so that a long list costs no more tasks than a short
// one; between two items it passes a task.Checkpoint.
func MapN[T, R any](ctx context.Context, n int, items []T, fn func(ctx context.Context, item T) (R, error)) ([]R, error) {
	if n < 1 {
		misuse("MapN with %d calls at a time", n)
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
		// What a scope takes for no failure, the cancel of one of its tasks alone,
		// leaves a result missing here.
		err = failure
	}
	if err != nil {
		return nil, err
	}
	return results, nil
}
