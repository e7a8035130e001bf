// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"testing"

	"baton/await"
	"baton/internal/bridge"
	"baton/task"
)

// A task of GoUnder is under the ctx, whoever starts it, and ends with it: by a cancel,
// by the end of a block, or by that of the task.
func TestGoUnder(t *testing.T) {
	cause := errors.New("the end")
	for _, c := range []struct {
		name string
		in   func(ctx context.Context, use func(ctx context.Context)) error
		end  func(r *task.Ref, leave *task.Future[struct{}])
		want error
	}{
		{"cancel", under, func(r *task.Ref, _ *task.Future[struct{}]) { r.Cancel(cause) }, cause},
		{"end of the task", under, func(_ *task.Ref, leave *task.Future[struct{}]) { leave.Set(struct{}{}) }, context.Canceled},
		{"end of a block", func(ctx context.Context, use func(ctx context.Context)) error {
			timed, release := await.WithTimeout(ctx, 1<<40)
			defer release()
			use(timed)
			return nil
		}, func(_ *task.Ref, leave *task.Future[struct{}]) { leave.Set(struct{}{}) }, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				var lent context.Context
				var leave task.Future[struct{}]
				owner := task.Start(ctx, func(ctx context.Context) (int, error) {
					return 0, c.in(context.WithValue(ctx, anyKey{}, 1), func(ctx context.Context) {
						lent = ctx
						leave.Await(ctx)
					})
				})
				turns(ctx, 2)
				var ended error
				worker := func(ctx context.Context) error {
					if ctx.Value(anyKey{}) != 1 {
						t.Error("the values of ctx are gone")
					}
					ended = forever(ctx)
					return nil
				}
				r := goUnder(lent, worker)
				turns(ctx, 2)
				c.end(&owner.Ref, &leave)
				owner.Await(ctx)
				turns(ctx, 2)
				if !r.Done() || !errors.Is(ended, c.want) {
					t.Errorf("the task is %v and has got %v, want %v", r.State(), ended, c.want)
				}
				late := goUnder(lent, worker)
				turns(ctx, 2)
				if late == nil || !late.Done() {
					t.Error("a task that begins after the end is not cancelled")
				}
				return nil
			})
		})
	}
}

// under calls use with ctx itself.
func under(ctx context.Context, use func(ctx context.Context)) error {
	use(ctx)
	return nil
}

// A scope that has ended takes no task, and others may not start one.
func TestGoUnderRefused(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var lent context.Context
		task.Scope(ctx, func(ctx context.Context) error { lent = ctx; return nil })
		if goUnder(lent, forever) != nil {
			t.Error("a task has started in a scope that has ended")
		}
		if v := panicOf(func() { goUnder(context.Background(), forever) }); v == nil {
			t.Error("no panic for a context of no task")
		}
		panicked := make(chan any)
		go func() { panicked <- panicOf(func() { goUnder(ctx, forever) }) }()
		if <-panicked == nil {
			t.Error("no panic on a goroutine outside")
		}
		return nil
	})
}

// A scope does not end before the tasks that it was given, but ends those of GoUnder
// with them.
func TestGoUnderScope(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var lent context.Context
		var bound *task.Ref
		var leave task.Future[struct{}]
		scope := task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, task.Scope(ctx, func(ctx context.Context) error {
				lent = ctx
				task.Go(ctx, func(ctx context.Context) error { _, err := leave.Await(ctx); return err })
				return nil
			})
		})
		turns(ctx, 2)
		bound = goUnder(lent, func(ctx context.Context) error {
			err := forever(ctx)
			if goUnder(lent, forever) != nil {
				t.Error("a task has started in a scope that is about to end")
			}
			return err
		})
		turns(ctx, 2)
		if bound == nil || bound.Done() {
			t.Error("the task has ended before those of the scope")
		}
		leave.Set(struct{}{})
		_, err := scope.Await(ctx)
		if !bound.Done() {
			t.Error("the scope has ended before the task")
		}
		return err
	})
}

// goUnder is what package netio uses.
func goUnder(ctx context.Context, fn func(ctx context.Context) error) *task.Ref {
	return bridge.GoUnder(ctx, fn).(*task.Ref)
}
