// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"baton/sim"
	"baton/task"
)

// schedules is under how many seeds a test runs whose outcome is to be the same
// under all.
const schedules = 100

// everySchedule runs a scope with fn under many schedules, and wants the same error
// from all of them.
func everySchedule(t *testing.T, fn func(ctx context.Context) error, expected error) {
	t.Helper()
	for seed := range uint64(schedules) {
		sim.Config{Seed: seed + 1}.Test(t, func(ctx context.Context, t *testing.T) {
			if err := task.Scope(ctx, fn); !errors.Is(err, expected) || (err == nil) != (expected == nil) {
				t.Errorf("scope returned %v, want %v", err, expected)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestOrphan: whether a task of Start fails before or after the task that has
// started it ends, its error is the scope's, and at once: whoever has started that
// one is not waited for.
func TestOrphan(t *testing.T) {
	everySchedule(t, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error {
			var failed *task.Task[int]
			task.Start(ctx, func(ctx context.Context) (int, error) {
				failed = task.Start(ctx, func(ctx context.Context) (int, error) { task.Yield(ctx); return 0, errOops })
				return 0, turns(ctx, 2) // and ends in the turn in which failed does
			})
			if err := turns(ctx, 9); err != nil {
				return err
			}
			failed.Await(ctx)
			return nil
		})
		return nil
	}, errOops)
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		err := task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					task.Start(ctx, func(ctx context.Context) (int, error) { return 0, errors.Join(sleep(ctx, time.Minute), errOops) })
					return nil
				})
				return sleep(ctx, 24*time.Hour)
			})
			return nil
		})
		if spent := task.Now(ctx).Sub(began); !errors.Is(err, errOops) || spent != time.Minute {
			t.Errorf("the scope ended after %v with %v", spent, err)
		}
	})
}

// TestCallbackTakesError: a done callback does not count as awaiting, unless it calls
// Result before the starter returns.
func TestCallbackTakesError(t *testing.T) {
	for takes, expected := range map[bool]error{true: nil, false: errOops} {
		everySchedule(t, func(ctx context.Context) error {
			tk := task.Start(ctx, oops)
			tk.AddDoneCallback(func(*task.Ref) {
				if takes {
					tk.Result()
				}
			})
			return turns(ctx, 3)
		}, expected)
	}
}

// TestUnawaitedAtTheEnd: what has failed before the scope's function returned cancels
// its siblings then.
func TestUnawaitedAtTheEnd(t *testing.T) {
	everySchedule(t, func(ctx context.Context) error {
		task.Go(ctx, forever)
		task.Start(ctx, oops)
		return turns(ctx, 3)
	}, errOops)
}
