// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// rollback is a cleanup after a cancel, and exceeds its own timeout.
func rollback(ctx context.Context) error {
	forever(ctx)
	shielded, release := task.Shield(ctx, -1)
	defer release()
	return fmt.Errorf("rollback: %w", await.Timeout(shielded, time.Second, forever))
}

// The failure of a task's own Timeout is not lost, even if a deadline cancelled the task
// before: the deadline of its starter's block, or a sibling's timeout.
func TestOwnTimeoutOfCancelledTaskIsAFailure(t *testing.T) {
	work := func(ctx context.Context) error {
		return fmt.Errorf("work: %w", await.Timeout(ctx, time.Second, forever))
	}
	plain := func(ctx context.Context) error { return await.Timeout(ctx, time.Second, forever) }
	for _, test := range []struct {
		name string
		fn   func(ctx context.Context) error
		want int // the number of failures
	}{
		{"in a block", func(ctx context.Context) error {
			return await.Timeout(ctx, time.Second, func(ctx context.Context) error {
				task.Go(ctx, rollback)
				forever(ctx)
				return nil
			})
		}, 1},
		{"the second of two at the same time is cancelled by the first", func(ctx context.Context) error {
			task.Go(ctx, plain)
			task.Go(ctx, plain)
			return nil
		}, 1},
		{"after a sibling's", func(ctx context.Context) error {
			task.Go(ctx, work)
			task.Go(ctx, rollback)
			return nil
		}, 2},
		{"of the scope's function", func(ctx context.Context) error {
			task.Go(ctx, work)
			return rollback(ctx)
		}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				err := task.Scope(ctx, test.fn)
				got := strings.Count(fmt.Sprint(err), "await: timeout after 1s: context deadline exceeded")
				if got != test.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Scope = %v, want %d failures", err, test.want)
				}
				return nil
			})
		})
	}
}
