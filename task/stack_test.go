// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/task"
)

// Stack returns the stack of a task to every caller. The task goes on as before.
func TestStackOfTasks(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		r.Loop = newVirtual(t)
		err := r.Run(context.Background(), func(ctx context.Context) error {
			var q task.WaitQueue
			has := func(r *task.Ref, function string) {
				t.Helper()
				if s := string(r.Stack()); !strings.Contains(s, "task_test."+function+"(") || !strings.HasPrefix(s, "goroutine ") || strings.Contains(s, "\n\n") {
					t.Errorf("the stack of %v does not name %s:\n%s", r, function, s)
				}
			}
			parked := task.Start(ctx, func(ctx context.Context) (int, error) { return descend(ctx, 3, &q) })
			if s := parked.Stack(); s != nil {
				t.Errorf("a task that has not begun has the stack\n%s", s)
			}
			turns(ctx, 2)
			sleeper := task.Go(ctx, func(ctx context.Context) error { return sleep(ctx, time.Second) })
			turns(ctx, 2)
			for range 3 {
				has(&parked.Ref, "descend")
				has(sleeper, "sleep")
				if parked.State() != task.Parked || sleeper.State() != task.Parked {
					t.Errorf("Stack changed the states to %v, %v", parked.State(), sleeper.State())
				}
			}
			has(task.Self(ctx), "TestStackOfTasks.func1.1")
			if task.Self(ctx).State() != task.Running {
				t.Errorf("the caller of Stack is %v", task.Self(ctx).State())
			}
			task.Loop(ctx).CallSoon(func() { has(&parked.Ref, "descend") })
			task.Go(ctx, func(context.Context) error { has(&parked.Ref, "descend"); return nil })
			turns(ctx, 3)
			q.WakeAll()
			has(&parked.Ref, "descend") // ready, and not yet running
			if v, err := parked.Await(ctx); v != 3 || err != nil {
				t.Errorf("Await = %v, %v", v, err)
			}
			if s := parked.Stack(); s != nil {
				t.Errorf("a task that has ended has the stack\n%s", s)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func descend(ctx context.Context, n int, q *task.WaitQueue) (int, error) {
	if n == 0 {
		return 0, q.Wait(ctx, task.Text("a test"))
	}
	v, err := descend(ctx, n-1, q)
	return v + 1, err
}

// Waits returns which task waits, for what, for which tasks, and how long on the loop's
// clock.
func TestWaitsListsParkedTasks(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		lost := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, forever(ctx) })
		task.Go(ctx, func(ctx context.Context) error { _, err := lost.Await(ctx); return err }).SetName("loyal")
		task.Go(ctx, func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error { return sleep(ctx, time.Hour) }).SetName("late")
				return nil
			})
		}).SetName("parent")
		lost.SetName("lost")
		sleep(ctx, 3*time.Second)
		want := []task.Wait{
			{Task: "task 2 (lost)", Reason: "for ever", Since: 3 * time.Second},
			{Task: "task 3 (loyal)", Reason: "the end of task 2 (lost)", Since: 3 * time.Second, On: []string{"task 2 (lost)"}},
			{Task: "task 4 (parent)", Reason: "the tasks of its scope", Since: 3 * time.Second, On: []string{"task 5 (late)"}},
			{Task: "task 5 (late)", Reason: "its timer", Since: 3 * time.Second},
		}
		got := task.Waits(ctx)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("Waits = %v\nwant    %v", got, want)
		}
		task.ScopeOf(ctx).Cancel(nil)
		return nil
	})
}
