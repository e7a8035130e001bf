// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"baton/task"
)

// context.Cause returns the cause of a cancelled task even while another goroutine calls Done for
// the first time.
func TestCauseWhileAnotherGoroutineCallsDone(t *testing.T) {
	cause := errors.New("the cause")
	err := task.Run(context.Background(), func(ctx context.Context) error {
		for range 20_000 {
			own := make(chan context.Context, 1)
			r := task.StartErr(ctx, func(ctx context.Context) error {
				own <- ctx
				return task.ParkUntil(ctx, task.Now(ctx).Add(time.Hour))
			})
			for r.State() != task.Parked {
				if err := task.Yield(ctx); err != nil {
					return err
				}
			}
			canceled := <-own
			var others sync.WaitGroup
			for range 4 {
				others.Go(func() { canceled.Done() })
			}
			r.Cancel(cause)
			if got := context.Cause(canceled); got != cause {
				t.Errorf("Cause = %v, want %v", got, cause)
			}
			others.Wait()
			_, _ = r.Await(ctx)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
