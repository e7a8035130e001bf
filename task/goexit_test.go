// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"baton/task"
)

// Goroutines that are in Goexit are ended with the tree of tasks, and pass it on
// among each other. That must not go on running the loop, which may have timers of
// its user's left.
func TestGoexitAtTheEnd(t *testing.T) {
	const tasks = 12
	for which := range 1 << 5 {
		eachHandoff(t, func(t *testing.T, r task.Runner) {
			r.Loop = newVirtual(t)
			fired := false
			timer := r.Loop.CallLater(time.Hour, func() { fired = true })
			defer timer.Cancel()
			err := r.Run(context.Background(), func(ctx context.Context) error {
				for i := range tasks {
					task.Go(ctx, func(ctx context.Context) error {
						if err := turns(ctx, i%4); err != nil {
							return err
						}
						if which>>(i%5)&1 == 1 {
							runtime.Goexit()
						}
						return nil
					})
				}
				return nil
			})
			if (err != nil) != (which != 0) {
				t.Errorf("tasks %b: Run = %v", which, err)
			}
			if fired || !timer.Pending() {
				t.Errorf("tasks %b: the loop went on after Run", which)
			}
			if _, ok := r.Loop.NextDeadline(); !ok {
				t.Errorf("tasks %b: the timer is gone", which)
			}
		})
	}
}
