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

// A tick comes at its own time, however long the work before it took. Next returns all
// missed ticks at once.
func TestTickerCountsMissedTicks(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		ticker := await.NewTicker(ctx, time.Second)
		for _, step := range []struct {
			work  time.Duration // before the call
			ticks int
			at    time.Duration // after the start
		}{
			{0, 1, time.Second},
			{0, 1, 2 * time.Second},
			{999 * time.Millisecond, 1, 3 * time.Second},
			{time.Second, 1, 4 * time.Second}, // the tick comes now
			{1300 * time.Millisecond, 1, 5300 * time.Millisecond},
			{0, 1, 6 * time.Second},
			{3500 * time.Millisecond, 3, 9500 * time.Millisecond},
			{0, 1, 10 * time.Second},
			{1000 * time.Hour, 3600 * 1000, 1000*time.Hour + 10*time.Second},
			{1, 1, 1000*time.Hour + 11*time.Second},
		} {
			if step.work > 0 {
				check(t, "Sleep", await.Sleep(ctx, step.work))
			}
			ticks, err := ticker.Next(ctx)
			check(t, "Next", err)
			if ticks != step.ticks {
				t.Errorf("after %v: %d ticks, want %d", step.work, ticks, step.ticks)
			}
			took(ctx, t, start, step.at)
		}
	})
}

// Work between two ticks does not move the later ticks.
func TestTickerDoesNotDrift(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		const interval = 7 * time.Millisecond
		ticker, sum := await.NewTicker(ctx, interval), 0
		for range 10_000 {
			ticks, err := ticker.Next(ctx)
			check(t, "Next", err)
			sum += ticks
			if late := task.Now(ctx).Sub(start) - time.Duration(sum)*interval; late < 0 || late >= interval {
				t.Fatalf("tick %d is %v late", sum, late)
			}
			check(t, "Sleep", await.Sleep(ctx, time.Duration(task.Loop(ctx).Rand().Int64N(int64(2*interval)))))
		}
	})
}

// A cancelled Next loses no tick.
func TestCancelledNextLosesNoTick(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		ticker := await.NewTicker(ctx, time.Second)
		for _, d := range []time.Duration{0, 600 * time.Millisecond} {
			timed, release := await.WithTimeout(ctx, d)
			if ticks, err := ticker.Next(timed); !errors.Is(err, context.DeadlineExceeded) || ticks != 0 {
				t.Errorf("Next = %d, %v", ticks, err)
			}
			release()
		}
		ticks, err := ticker.Next(ctx)
		check(t, "Next", err)
		if ticks != 1 {
			t.Errorf("%d ticks, want 1", ticks)
		}
		took(ctx, t, start, time.Second)
	})
}

// The interval may be the longest Duration, and must not be zero or negative.
func TestTickerIntervals(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ticker := await.NewTicker(ctx, math.MaxInt64)
		timed, release := await.WithTimeout(ctx, time.Hour)
		defer release()
		if _, err := ticker.Next(timed); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next = %v", err)
		}
		for _, d := range []time.Duration{0, -1} {
			panics(t, func() { await.NewTicker(ctx, d) }, "NewTicker with an interval of "+d.String())
		}
	})
}

// Next does not allocate, whether it waits for the tick or the tick was missed.
func TestTickerDoesNotAllocate(t *testing.T) {
	check(t, "Run", task.Run(context.Background(), func(ctx context.Context) error {
		for _, interval := range []time.Duration{1, 100 * time.Microsecond} {
			ticker := await.NewTicker(ctx, interval)
			if n := testing.AllocsPerRun(100, func() { ticker.Next(ctx) }); n != 0 {
				t.Errorf("%v: %v allocations a tick", interval, n)
			}
		}
		return nil
	}))
}

// Forever returns every kind of cancel.
func TestCancelEndsForever(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		start := task.Now(ctx)
		err := await.Timeout(ctx, time.Hour, await.Forever)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("under a timeout = %v", err)
		}
		took(ctx, t, start, time.Hour)
		waits := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, await.Forever(ctx) })
		check(t, "Sleep", await.Sleep(ctx, time.Hour))
		waits.Cancel(errBody)
		if _, err := waits.Await(ctx); !errors.Is(err, errBody) {
			t.Errorf("cancelled = %v", err)
		}
	})
}
