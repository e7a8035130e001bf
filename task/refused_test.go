// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// A call that is refused has had no effect: nobody stands in a line, waits for a
// timer or belongs to a scope on account of it. A standard deadline on a clock that
// jumps is what is noticed last.
func TestRefusedCallHasNoEffect(t *testing.T) {
	mustRunOn := func(t *testing.T, use func(ctx, derived context.Context) func()) {
		t.Helper()
		mustRun(t, func(ctx context.Context) error {
			runs := 0
			refused := task.Go(ctx, func(inner context.Context) error {
				runs++
				mustMisuse(t, use(inner, limited(inner, t)), "deadline of the standard library")
				return nil
			})
			if err := turns(ctx, 4); err != nil {
				return err
			}
			if !refused.Done() || runs != 1 {
				t.Errorf("the task is %v and has run %d times", refused.State(), runs)
			}
			if all := task.Tasks(ctx); len(all) != 1 {
				t.Errorf("there are %v", all)
			}
			if when, ok := task.Loop(ctx).NextDeadline(); ok {
				t.Errorf("a timer is left for %v", when)
			}
			return turns(ctx, 2)
		})
	}
	t.Run("WaitQueue.Wait", func(t *testing.T) {
		var line task.WaitQueue
		mustRunOn(t, func(_, derived context.Context) func() {
			return func() { line.Wait(derived, task.Text("a test")) }
		})
		if n := line.Len(); n != 0 {
			t.Errorf("%d tasks are left in the line", n)
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

// limited puts a deadline of the standard library over ctx.
func limited(ctx context.Context, t *testing.T) context.Context {
	derived, cancel := context.WithTimeout(ctx, time.Hour)
	t.Cleanup(cancel)
	return derived
}
