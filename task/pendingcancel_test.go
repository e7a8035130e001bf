// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"baton/task"
)

// A wait report shows a cancel that the task has not obeyed yet, with its age and its
// cause.
func TestReportShowsPendingCancel(t *testing.T) {
	for _, test := range []struct {
		name string
		fn   func(ctx context.Context) error // ends after about two hours
		want string                          // the end of the report after one hour; "" means no cancel
	}{
		{"no cancel", func(ctx context.Context) error { return sleep(ctx, 2*time.Hour) }, ""},
		{"under a shield", func(ctx context.Context) error {
			ctx, release := task.Shield(ctx, -1)
			defer release()
			task.Self(ctx).Cancel(errOops)
			return sleep(ctx, 2*time.Hour)
		}, "; cancelled 1h0m0s ago (oops)"},
		{"a wait that refuses", func(ctx context.Context) error {
			task.Loop(ctx).CallLater(2*time.Hour, task.Self(ctx).Wake)
			r := task.Self(ctx)
			task.Loop(ctx).CallLater(time.Minute, func() { r.Cancel(errOops) })
			return task.Park(ctx, new(refuser))
		}, "; cancelled 59m0s ago (oops)"},
		{"a scope that has failed", func(ctx context.Context) error {
			task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					ctx, release := task.Shield(ctx, -1)
					defer release()
					return sleep(ctx, 2*time.Hour)
				})
				task.Yield(ctx)
				return errOops
			})
			return nil
		}, "; cancelled 1h0m0s ago (oops)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				r := task.Go(ctx, func(ctx context.Context) error { test.fn(ctx); return nil })
				sleep(ctx, time.Hour)
				w, _ := r.Waiting()
				_, ago := r.Canceled()
				if !strings.HasSuffix(w.String(), test.want) || test.want == "" && w.Cause != nil || ago != w.Canceled {
					t.Errorf("the wait is %q, cancelled %v ago, want %q", w, ago, test.want)
				}
				return nil
			})
		})
	}
}

// Canceled returns the cancel of a ready task, and nil for an ended task.
func TestCanceledOfReadyAndEndedTask(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		r := task.Go(ctx, forever)
		task.Yield(ctx)
		r.Cancel(errOops)
		if c, _ := r.Canceled(); c == nil || c.Cause != errOops {
			t.Errorf("the cancel of a ready task is %v, want oops", c)
		}
		turns(ctx, 2)
		if c, _ := r.Canceled(); c != nil || !r.Done() {
			t.Errorf("the cancel of a task that has ended is %v, want none", c)
		}
		return nil
	})
}

// A report of a wait for many tasks names only some of them.
func TestReportNamesFewTasks(t *testing.T) {
	w := task.Wait{Task: "task 1 (x)", Reason: "the tasks of its scope"}
	for range 10 {
		w.On = append(w.On, "task 2 (y)")
	}
	if want := "task 1 (x) has waited 0s for the tasks of its scope, on " + strings.Repeat("task 2 (y), ", 7) +
		"task 2 (y) and 2 more"; w.String() != want {
		t.Errorf("%q, want %q", w, want)
	}
}
