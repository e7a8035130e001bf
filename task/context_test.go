// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/internal/bridge"
	"baton/task"
)

// context.AfterFunc runs after the cancel, and never if it was stopped.
func TestAfterFunc(t *testing.T) {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ran := make(chan bool, 2)
		return errors.Join(task.Scope(ctx, func(ctx context.Context) error {
			context.AfterFunc(ctx, func() { ran <- true })
			stop := context.AfterFunc(ctx, func() { t.Error("a stopped AfterFunc ran") })
			if !stop() || stop() {
				t.Error("stop must return true and then false")
			}
			task.ScopeOf(ctx).Cancel(nil)
			<-ran
			late := context.AfterFunc(ctx, func() { ran <- true })
			<-ran
			if late() {
				t.Error("stop = true after the function has run")
			}
			return nil
		}), nil)
	})
	if err != nil {
		t.Error(err)
	}
}

// Done, Err, Value and AfterFunc are safe from every goroutine, even during the cancel and
// after the task has ended.
func TestContextFromGoroutines(t *testing.T) {
	type key struct{}
	for range 50 {
		ended := make(chan struct{}, 8)
		err := task.Run(context.WithValue(context.Background(), key{}, "v"), func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context) error {
				for range cap(ended) {
					go func() {
						defer func() { ended <- struct{}{} }()
						derived, cancel := context.WithCancel(ctx)
						defer cancel()
						ctx.Deadline()
						<-derived.Done()
						if ctx.Err() != context.Canceled || derived.Err() != context.Canceled || ctx.Value(key{}) != "v" {
							t.Errorf("Err = %v, %v", ctx.Err(), derived.Err())
						}
					}()
				}
				return turns(ctx, 3)
			})
		})
		if err != nil {
			t.Error(err)
		}
		for range cap(ended) {
			<-ended
		}
	}
}

// Deadline returns the earliest deadline, if the loop uses the real clock. A shield hides
// it.
func TestDeadlineOfContext(t *testing.T) {
	type deadline struct {
		when time.Time
		ok   bool
	}
	of := func(ctx context.Context) deadline {
		when, ok := ctx.Deadline()
		return deadline{when, ok}
	}
	none := deadline{}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		when := task.Now(ctx).Add(time.Hour)
		first := deadline{when, true}
		ctx, release := await.WithDeadline(ctx, when)
		defer release()
		later, release := await.WithDeadline(ctx, when.Add(time.Hour))
		defer release()
		shielded, release := task.Shield(later, time.Minute)
		defer release()
		inner, release := await.WithDeadline(shielded, when.Add(time.Hour))
		defer release()
		standard, cancel := context.WithTimeout(shielded, 2*time.Hour)
		defer cancel()
		for name, test := range map[string]struct{ got, want deadline }{
			"own":              {of(ctx), first},
			"value":            {of(context.WithValue(ctx, anyKey{}, 1)), first},
			"outer is earlier": {of(later), first},
			"shield":           {of(shielded), none},
			"inside a shield":  {of(inner), deadline{when.Add(time.Hour), true}},
		} {
			if test.got != test.want {
				t.Errorf("%s: Deadline = %v, want %v", name, test.got, test.want)
			}
		}
		if !of(standard).when.After(when) {
			t.Errorf("a standard timeout inside a shield: %v", of(standard))
		}
		task.Go(later, func(ctx context.Context) error {
			if of(ctx) != first {
				t.Errorf("in a task: Deadline = %v", of(ctx))
			}
			return nil
		})
		turns(later, 2)
		await.Reschedule(later, time.Time{})
		await.Reschedule(ctx, time.Time{})
		if of(later) != none {
			t.Errorf("after both deadlines were removed: Deadline = %v", of(later))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	mustRun(t, func(ctx context.Context) error {
		ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
		defer release()
		if of(ctx) != none {
			t.Errorf("on a virtual clock: Deadline = %v", of(ctx))
		}
		return nil
	})
}

// A task has the values of the context under which it was started. Values of inner contexts
// do not appear in outer ones.
func TestTasksInheritValues(t *testing.T) {
	type key string
	mustRun(t, func(ctx context.Context) error {
		outer := context.WithValue(ctx, key("a"), 1)
		return task.Scope(outer, func(ctx context.Context) error {
			inner := context.WithValue(ctx, key("b"), 2)
			shielded, release := task.Shield(inner, 0)
			defer release()
			limited, release := await.WithDeadline(shielded, task.Now(ctx).Add(time.Second))
			defer release()
			task.Go(limited, func(ctx context.Context) error {
				if ctx.Value(key("a")) != 1 || ctx.Value(key("b")) != 2 || ctx.Value(key("c")) != nil {
					t.Errorf("a = %v, b = %v", ctx.Value(key("a")), ctx.Value(key("b")))
				}
				return nil
			})
			if ctx.Value(key("b")) != nil {
				t.Error("the outer context has a value of the inner one")
			}
			return turns(limited, 2)
		})
	})
}

// AddValues adds values to the context of a scope and of what is started in it. The context
// stays the same object, so its tasks are still recognized by it.
func TestAddedValuesReachTasks(t *testing.T) {
	type key string
	mustRun(t, func(ctx context.Context) error {
		outer := context.WithValue(ctx, key("a"), 1)
		return task.Scope(outer, func(ctx context.Context) error {
			bridge.AddValues(ctx, func(values context.Context) context.Context {
				return context.WithValue(context.WithValue(values, key("b"), 2), key("c"), 3)
			})
			got := func(ctx context.Context) string {
				return fmt.Sprint(ctx.Value(key("a")), ctx.Value(key("b")), ctx.Value(key("c")), task.Self(ctx) != nil)
			}
			if text := got(ctx); text != "1 2 3 true" {
				t.Errorf("in the scope: %s", text)
			}
			task.Go(ctx, func(ctx context.Context) error {
				if text := got(ctx); text != "1 2 3 true" {
					t.Errorf("in a task: %s", text)
				}
				return nil
			})
			return nil
		})
	})
}
