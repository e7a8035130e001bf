// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"testing"

	"baton/task"
)

// A nil function panics in the call itself, not later in a task, and nothing is left
// behind.
func TestNilFunction(t *testing.T) {
	var p *task.Portal
	mustRunOn(t, func(ctx context.Context) {
		p = task.OpenPortal(ctx)
		defer p.Close()
		for name, call := range map[string]func(){
			"Scope":       func() { task.Scope(ctx, nil) },
			"Go":          func() { task.Go(ctx, nil) },
			"Start":       func() { task.Start[int](ctx, nil) },
			"StartReady":  func() { task.StartReady[int](ctx, nil) },
			"ScopeRef.Go": func() { task.ScopeOf(ctx).Go(nil) },
			"Portal.Go":   func() { p.Go(nil) },

			"Future.AddDoneCallback": func() { new(task.Future[int]).AddDoneCallback(nil) },
			"AddDoneCallback":        func() { task.Self(ctx).AddDoneCallback(nil) },
		} {
			mustMisuse(t, call, name+" called with a nil function")
		}
	})
	mustMisuse(t, func() { p.Do(nil) }, "Portal.Do called with a nil function")
	mustMisuse(t, func() { task.Run(context.Background(), nil) }, "Run called with a nil function")
}

// Calls with the context or the handle of an ended scope panic. The cancel of an ended
// scope reaches no other task.
func TestUseOfEndedScopePanics(t *testing.T) {
	mustRunOn(t, func(ctx context.Context) {
		var inside context.Context
		var scope *task.ScopeRef
		task.Scope(ctx, func(ctx context.Context) error {
			inside, scope = ctx, task.ScopeOf(ctx)
			return nil
		})
		mustMisuse(t, func() { task.OpenPortal(inside) }, "cannot open a portal: the scope created by task 1 (", ") has ended")
		mustMisuse(t, func() { task.Go(inside, forever) }, "cannot start a task: the scope created by task 1 (", ") has ended")
		// The same from another task.
		other := task.Start(ctx, func(ctx context.Context) (int, error) {
			mustMisuse(t, func() { scope.Go(forever) }, "the scope created by task 1 (", ") has ended")
			scope.Cancel(errOops)
			if left := scope.Tasks(); len(left) != 0 {
				t.Errorf("tasks of a scope that has ended: %v", left)
			}
			return 0, task.Yield(ctx)
		})
		if _, err := other.Await(ctx); err != nil {
			t.Errorf("the cancel of a scope that has ended reached another task: %v", err)
		}
	})
}

// A portal call that has not arrived when the scope ends does not begin.
func TestPortalCallAfterScopeDoesNotBegin(t *testing.T) {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		var calls []*task.Call
		task.Scope(ctx, func(ctx context.Context) error {
			p := task.OpenPortal(ctx)
			calls = append(calls, p.Go(forever))
			return nil
		})
		task.Scope(ctx, func(ctx context.Context) error {
			var p *task.Portal
			task.Go(ctx, func(ctx context.Context) error {
				task.Yield(ctx)
				p = task.OpenPortal(ctx) // the scope's function has returned
				calls = append(calls, p.Go(forever))
				return nil
			})
			return nil
		})
		ended := make(chan error, len(calls))
		go func() {
			for _, c := range calls {
				ended <- c.Wait()
			}
		}()
		for range calls {
			if err := <-ended; err != task.ErrClosed {
				t.Errorf("Wait = %v, want %v", err, task.ErrClosed)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
