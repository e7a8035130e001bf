// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/task"
)

// TestMain runs the tests, or the server that launchChild has started this program for.
func TestMain(m *testing.M) {
	if serve := childServers[os.Getenv(childName)]; serve != nil {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // until the test has ended, however it ended
			os.Exit(1)
		}()
		if err := serve(os.Getenv(childAddress)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// within runs fn as a task of a loop. Another task of the loop ticks, because the library under
// test must not stop the loop. within prints the longest gap between ticks; no test depends on the
// gap. The time limit only ends a test that hangs.
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

// on runs fn outside the loop, on a goroutine of the executor.
func on(ctx context.Context, fn func(ctx context.Context) error) error {
	_, err := await.Blocking(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
