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

// A task of GoUnder runs under the given ctx, even if another task starts it. It ends with
// that ctx: by a cancel, or by the end of the block or the task.
func TestTaskOfGoUnderEndsWithItsContext(t *testing.T) {
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
				var given context.Context
				var leave task.Future[struct{}]
				owner := task.Start(ctx, func(ctx context.Context) (int, error) {
					return 0, c.in(context.WithValue(ctx, anyKey{}, 1), func(ctx context.Context) {
						given = ctx
						leave.Await(ctx)
					})
				})
				turns(ctx, 2)
				var ended error
				worker := func(ctx context.Context) error {
					if ctx.Value(anyKey{}) != 1 {
						t.Error("the task does not have the values of ctx")
					}
					ended = forever(ctx)
					return nil
				}
				r := goUnder(given, worker)
				turns(ctx, 2)
				c.end(&owner.Ref, &leave)
				owner.Await(ctx)
				turns(ctx, 2)
				if !r.Done() || !errors.Is(ended, c.want) {
					t.Errorf("the task is %v and received %v, want %v", r.State(), ended, c.want)
				}
				late := goUnder(given, worker)
				turns(ctx, 2)
				if late == nil || !late.Done() {
					t.Error("a task that begins after the end is not cancelled")
				}
				return nil
			})
		})
	}
}

// under calls use with ctx.
func under(ctx context.Context, use func(ctx context.Context)) error {
	use(ctx)
	return nil
}

// GoUnder returns nil if the scope has ended. It panics for a context of no task, and on
// another goroutine.
func TestGoUnderOfEndedScope(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var given context.Context
		task.Scope(ctx, func(ctx context.Context) error { given = ctx; return nil })
		if goUnder(given, forever) != nil {
			t.Error("a task has started in a scope that has ended")
		}
		if v := panicOf(func() { goUnder(context.Background(), forever) }); v == nil {
			t.Error("no panic for a context of no task")
		}
		panicked := make(chan any)
		go func() { panicked <- panicOf(func() { goUnder(ctx, forever) }) }()
		if <-panicked == nil {
			t.Error("no panic on another goroutine")
		}
		return nil
	})
}

// A scope first waits for its own tasks, and then ends the tasks of GoUnder.
func TestScopeEndsTasksOfGoUnderLast(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var given context.Context
		var bound *task.Ref
		var leave task.Future[struct{}]
		scope := task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, task.Scope(ctx, func(ctx context.Context) error {
				given = ctx
				task.Go(ctx, func(ctx context.Context) error { _, err := leave.Await(ctx); return err })
				return nil
			})
		})
		turns(ctx, 2)
		bound = goUnder(given, func(ctx context.Context) error {
			err := forever(ctx)
			if goUnder(given, forever) != nil {
				t.Error("a task has started in a scope that is about to end")
			}
			return err
		})
		turns(ctx, 2)
		if bound == nil || bound.Done() {
			t.Error("the task of GoUnder has ended before the other tasks of the scope")
		}
		leave.Set(struct{}{})
		_, err := scope.Await(ctx)
		if !bound.Done() {
			t.Error("the scope has ended before the task of GoUnder")
		}
		return err
	})
}

// goUnder is bridge.GoUnder, as package netio uses it.
func goUnder(ctx context.Context, fn func(ctx context.Context) error) *task.Ref {
	return bridge.GoUnder(ctx, fn).(*task.Ref)
}
