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

// schedules is the number of seeds with which everySchedule runs.
const schedules = 100

// everySchedule runs a scope with fn under many schedules. Each must return the same error.
func everySchedule(t *testing.T, fn func(ctx context.Context) error, expected error) {
	t.Helper()
	for seed := range uint64(schedules) {
		sim.Config{Seed: seed + 1}.Test(t, func(ctx context.Context, t *testing.T) {
			if err := task.Scope(ctx, fn); !errors.Is(err, expected) || (err == nil) != (expected == nil) {
				t.Errorf("Scope = %v, want %v", err, expected)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// If a task of Start fails after or in the same turn as its starter ends, its error fails
// the scope at once. The scope does not wait for the starter's own starter.
func TestUnawaitedTaskOfEndedStarterFailsScope(t *testing.T) {
	everySchedule(t, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error {
			var failed *task.Task[int]
			task.Start(ctx, func(ctx context.Context) (int, error) {
				failed = task.Start(ctx, func(ctx context.Context) (int, error) { task.Yield(ctx); return 0, errOops })
				return 0, turns(ctx, 2) // ends in the same turn as failed
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
			t.Errorf("Scope = %v after %v, want %v after 1m", err, spent, errOops)
		}
	})
}

// A done callback does not count as awaiting the task, unless it calls Result before the
// starter returns.
func TestResultInCallbackTakesError(t *testing.T) {
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

// An unawaited task that failed before the scope's function returned cancels its siblings
// when the function returns.
func TestUnawaitedTaskFailsScopeAtTheEnd(t *testing.T) {
	everySchedule(t, func(ctx context.Context) error {
		task.Go(ctx, forever)
		task.Start(ctx, oops)
		return turns(ctx, 3)
	}, errOops)
}
