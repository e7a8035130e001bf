// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// On a virtual clock, Sleep takes exactly the given time.
func TestSleepIsExact(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for _, d := range []time.Duration{1, time.Millisecond, 1000 * time.Hour} {
			began := task.Now(ctx)
			check(t, "Sleep", await.Sleep(ctx, d))
			took(ctx, t, began, d)
		}
	})
}

func TestSleepOfZeroYieldsOnce(t *testing.T) {
	sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
		for _, d := range []time.Duration{0, -time.Hour, math.MinInt64} {
			steps := 0
			other := task.Go(ctx, func(ctx context.Context) error {
				for !errors.Is(task.Check(ctx), context.Canceled) {
					steps++
					task.Yield(ctx)
				}
				return nil
			})
			began := task.Now(ctx)
			check(t, "Sleep", await.Sleep(ctx, d))
			took(ctx, t, began, 0)
			if steps != 1 {
				t.Errorf("another task ran %d times during Sleep(%v), want once", steps, d)
			}
			other.Cancel(nil)
		}
	})
}

// A cancelled Sleep ends at once and removes its timer. Otherwise the virtual time would
// advance by 292 years.
func TestCancelEndsSleepAtOnce(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		sleeper := after(ctx, math.MaxInt64, 0, nil)
		check(t, "Sleep", await.Sleep(ctx, time.Second))
		sleeper.Cancel(nil)
		if _, err := sleeper.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Sleep = %v, want canceled", err)
		}
		took(ctx, t, began, time.Second)

		task.Self(ctx).Cancel(nil)
		for range 2 { // a cancel lasts
			if err := await.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
				t.Errorf("Sleep = %v, want canceled", err)
			}
			if err := await.Sleep(ctx, 0); !errors.Is(err, context.Canceled) {
				t.Errorf("Sleep(0) = %v, want canceled", err)
			}
		}
		took(ctx, t, began, time.Second)
	})
}
