// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// A portal call runs under the context with which the portal was opened.
func TestPortalKeepsContext(t *testing.T) {
	type key struct{}
	// through opens a portal under ctx, calls fn through it, and returns the error of fn.
	through := func(t *testing.T, ctx, caller context.Context, fn func(ctx context.Context) error) error {
		t.Helper()
		portal := task.OpenPortal(ctx)
		defer portal.Close()
		var got task.Future[error]
		portal.Go(func(ctx context.Context) error { got.Set(fn(ctx)); return nil })
		err, ended := got.Await(caller)
		if ended != nil {
			t.Fatal(ended)
		}
		return err
	}
	for name, test := range map[string]func(t *testing.T, ctx context.Context){
		"values": func(t *testing.T, ctx context.Context) {
			valued := context.WithValue(ctx, key{}, 7)
			through(t, valued, ctx, func(ctx context.Context) error {
				if v := ctx.Value(key{}); v != 7 {
					t.Errorf("the value is %v, want 7", v)
				}
				return nil
			})
		},
		"deadline": func(t *testing.T, ctx context.Context) {
			began := task.Now(ctx)
			timed, release := await.WithDeadline(ctx, began.Add(time.Hour))
			defer release()
			err := through(t, timed, ctx, func(ctx context.Context) error { return sleep(ctx, 2*time.Hour) })
			if !errors.Is(err, context.DeadlineExceeded) || task.Now(ctx).Sub(began) != time.Hour {
				t.Errorf("the call ended with %v after %v, want the deadline after 1h", err, task.Now(ctx).Sub(began))
			}
		},
		"cancel of a standard context": func(t *testing.T, ctx context.Context) {
			standard, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			err := through(t, standard, ctx, func(ctx context.Context) error {
				task.Loop(ctx).CallSoon(func() { cancel(errOops) })
				return forever(ctx)
			})
			if !errors.Is(err, errOops) {
				t.Errorf("the call ended with %v, want oops", err)
			}
		},
		"end of its block": func(t *testing.T, ctx context.Context) {
			timed, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
			portal := task.OpenPortal(timed)
			release()
			var got task.Future[error]
			portal.Go(func(ctx context.Context) error { got.Set(task.Check(ctx)); return nil })
			if err, _ := got.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("the call begins with %v, want cancelled", err)
			}
			portal.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error { test(t, ctx); return nil })
		})
	}
}
