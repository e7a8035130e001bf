// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// rollback is a cleanup, after a cancel, that runs out of its own time.
func rollback(ctx context.Context) error {
	forever(ctx)
	shielded, release := task.Shield(ctx, -1)
	defer release()
	return fmt.Errorf("rollback: %w", await.Timeout(shielded, time.Second, forever))
}

// The failure of a task's own Timeout is told, whatever deadline the task was
// cancelled by before: that of its starter's block, or a sibling's failure that is
// one itself.
func TestOwnTimeoutIsNoEcho(t *testing.T) {
	work := func(ctx context.Context) error {
		return fmt.Errorf("work: %w", await.Timeout(ctx, time.Second, forever))
	}
	plain := func(ctx context.Context) error { return await.Timeout(ctx, time.Second, forever) }
	for _, test := range []struct {
		name string
		fn   func(ctx context.Context) error
		want []string
	}{
		{"in a block", func(ctx context.Context) error {
			return await.Timeout(ctx, time.Second, func(ctx context.Context) error {
				task.Go(ctx, rollback)
				forever(ctx)
				return nil
			})
		}, []string{"rollback: await: timeout after 1s: context deadline exceeded"}},
		{"two at the same time", func(ctx context.Context) error {
			task.Go(ctx, plain)
			task.Go(ctx, plain)
			return nil
		}, []string{"await: timeout after 1s: context deadline exceeded", "await: timeout after 1s: context deadline exceeded"}},
		{"after a sibling's", func(ctx context.Context) error {
			task.Go(ctx, work)
			task.Go(ctx, rollback)
			return nil
		}, []string{"work: await: timeout after 1s: context deadline exceeded", "rollback: await: timeout after 1s: context deadline exceeded"}},
		{"of the scope's function", func(ctx context.Context) error {
			task.Go(ctx, work)
			return rollback(ctx)
		}, []string{"work: await: timeout after 1s: context deadline exceeded", "rollback: await: timeout after 1s: context deadline exceeded"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				err := task.Scope(ctx, test.fn)
				var want error
				for _, text := range test.want {
					want = errors.Join(want, errors.New(text))
				}
				if fmt.Sprint(err) != fmt.Sprint(want) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Scope = %v, want %v", err, want)
				}
				return nil
			})
		})
	}
}
