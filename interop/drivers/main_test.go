// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within runs fn as a task of a loop on which another task ticks meanwhile: the library under
// test must not stop it. The longest gap between ticks is printed and decides nothing. The time
// limit is against hangs only.
func within(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ticks, longest := 0, time.Duration(0)
	err := task.Run(ctx, func(ctx context.Context) error {
		ticking := task.Go(ctx, func(ctx context.Context) error {
			for last := time.Now(); ; ticks++ {
				if err := await.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
				now := time.Now()
				longest, last = max(longest, now.Sub(last)), now
			}
		})
		defer ticking.Cancel(nil)
		return task.Scope(ctx, fn)
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d ticks of 1 ms, the longest gap %v", ticks, longest.Round(100*time.Microsecond))
}

// on runs fn beside the loop, on a goroutine of the executor.
func on(ctx context.Context, fn func(ctx context.Context) error) error {
	_, err := await.Blocking(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
