// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// A call that panics has no effect: its task is in no wait queue, has no timer and belongs
// to no new scope. The calls panic because of a standard deadline on a virtual clock, which
// they check last.
func TestCallThatPanicsHasNoEffect(t *testing.T) {
	mustRunOn := func(t *testing.T, use func(ctx, derived context.Context) func()) {
		t.Helper()
		mustRun(t, func(ctx context.Context) error {
			runs := 0
			caller := task.Go(ctx, func(inner context.Context) error {
				runs++
				mustMisuse(t, use(inner, limited(inner, t)), "deadline of the standard library")
				return nil
			})
			if err := turns(ctx, 4); err != nil {
				return err
			}
			if !caller.Done() || runs != 1 {
				t.Errorf("the task is %v and has run %d times", caller.State(), runs)
			}
			if all := task.Tasks(ctx); len(all) != 1 {
				t.Errorf("the tasks are %v, want only main", all)
			}
			if when, ok := task.Loop(ctx).NextDeadline(); ok {
				t.Errorf("a timer is left for %v", when)
			}
			return turns(ctx, 2)
		})
	}
	t.Run("WaitQueue.Wait", func(t *testing.T) {
		var queue task.WaitQueue
		mustRunOn(t, func(_, derived context.Context) func() {
			return func() { queue.Wait(derived, task.Text("a test")) }
		})
		if n := queue.Len(); n != 0 {
			t.Errorf("%d tasks are left in the queue", n)
		}
	})
	t.Run("Await", func(t *testing.T) {
		mustRunOn(t, func(ctx, derived context.Context) func() {
			other := task.Start(ctx, func(ctx context.Context) (int, error) { return 1, task.Yield(ctx) })
			return func() { other.Await(derived) }
		})
	})
	t.Run("ParkUntil", func(t *testing.T) {
		mustRunOn(t, func(ctx, derived context.Context) func() {
			return func() { task.ParkUntil(derived, task.Now(ctx).Add(time.Minute)) }
		})
	})
	t.Run("Go", func(t *testing.T) {
		mustRunOn(t, func(_, derived context.Context) func() {
			return func() { task.Go(derived, forever) }
		})
	})
	t.Run("Scope", func(t *testing.T) {
		mustRunOn(t, func(_, derived context.Context) func() {
			return func() { task.Scope(derived, forever) }
		})
	})
	t.Run("WithDeadline", func(t *testing.T) {
		mustRunOn(t, func(ctx, derived context.Context) func() {
			return func() { await.WithDeadline(derived, task.Now(ctx).Add(time.Minute)) }
		})
	})
}

// limited derives a context with a standard deadline from ctx.
func limited(ctx context.Context, t *testing.T) context.Context {
	derived, cancel := context.WithTimeout(ctx, time.Hour)
	t.Cleanup(cancel)
	return derived
}
