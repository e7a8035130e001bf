// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// Every way in which a task of StartReady can start or fail.
func TestOutcomesOfStartReady(t *testing.T) {
	tests := []struct {
		name         string
		fn           func(ctx context.Context, ready func(int)) error
		value        int
		err, outcome error // the errors of StartReady and of the scope
	}{
		{"ready", func(ctx context.Context, ready func(int)) error { ready(7); ready(8); return task.Yield(ctx) }, 7, nil, nil},
		{"ready, and ends", func(ctx context.Context, ready func(int)) error { ready(7); return nil }, 7, nil, nil},
		{"ready, and fails", func(ctx context.Context, ready func(int)) error {
			ready(7)
			turns(ctx, 1)
			return errOops
		}, 7, nil, errOops},
		{"fails before", func(ctx context.Context, ready func(int)) error { turns(ctx, 1); return errOops }, 0, errOops, nil},
		{"ends before", func(ctx context.Context, ready func(int)) error { return nil }, 0, task.ErrNotReady, nil},
		{"exits before", func(ctx context.Context, ready func(int)) error { runtime.Goexit(); return nil }, 0, task.ErrNotReady, task.ErrGoexit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				err := task.Scope(ctx, func(ctx context.Context) error {
					v, err := task.StartReady(ctx, test.fn)
					if v != test.value || err != test.err {
						t.Errorf("StartReady = %v, %v, want %v, %v", v, err, test.value, test.err)
					}
					return nil
				})
				if err != test.outcome {
					t.Errorf("Scope = %v, want %v", err, test.outcome)
				}
				return nil
			})
		})
	}
	t.Run("panics before", func(t *testing.T) {
		l := newVirtual(t)
		v := panicOf(func() {
			task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
				_, err := task.StartReady(ctx, func(context.Context, func(int)) error { panic(errOops) })
				return err
			})
		})
		if p, ok := v.(*task.PanicError); !ok || p.Value != any(errOops) {
			t.Errorf("Run panicked with %v", v)
		}
	})
	t.Run("cancelled while waiting", func(t *testing.T) {
		mustRun(t, func(ctx context.Context) error {
			cleaned := false
			starter := task.Start(ctx, func(ctx context.Context) (int, error) {
				return task.StartReady(ctx, func(ctx context.Context, ready func(int)) error {
					err := forever(ctx)
					cleanup, release := task.Shield(ctx, -1)
					defer release()
					turns(cleanup, 5)
					cleaned = true
					return err
				})
			})
			turns(ctx, 3)
			starter.Cancel(errOops)
			if _, err := starter.Await(ctx); !errors.Is(err, errOops) || !cleaned {
				t.Errorf("StartReady = %v, the task has ended: %v", err, cleaned)
			}
			return nil
		})
	})
}

// ready panics on another goroutine, both while the starter waits and after that.
func TestReadyOnOtherGoroutinePanics(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		report := func(ready func(int)) {
			done := make(chan any)
			go func() { done <- panicOf(func() { ready(7) }) }()
			if v := <-done; v == nil || !strings.Contains(fmt.Sprint(v), "use a Portal") {
				t.Errorf("ready on another goroutine panicked with %v", v)
			}
		}
		_, err := task.StartReady(ctx, func(ctx context.Context, ready func(int)) error {
			report(ready)
			ready(7)
			report(ready)
			return turns(ctx, 2)
		})
		return err
	})
}

// A task reports ready after its starter was cancelled. StartReady returns the cancel. If
// the task returns only that cancel, nothing fails. A real failure of the task fails the
// scope, in every order of the tasks.
func TestReadyAfterCancelOfStarter(t *testing.T) {
	cancels := map[string]func(ctx context.Context) (cancelled context.Context, release func()){
		"deadline": func(ctx context.Context) (context.Context, func()) {
			ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Second))
			return ctx, release
		},
		"standard": func(ctx context.Context) (context.Context, func()) {
			derived, cancel := context.WithCancelCause(ctx)
			task.Loop(ctx).CallLater(time.Second, func() { cancel(errOther) })
			return derived, func() { cancel(nil) }
		},
		"task": func(ctx context.Context) (context.Context, func()) {
			self := task.Self(ctx)
			task.Loop(ctx).CallLater(time.Second, func() { self.Cancel(errOther) })
			return ctx, func() {}
		},
	}
	returns := map[string]func(ctx context.Context, err error) error{
		"the cancel":   func(_ context.Context, err error) error { return err },
		"the sentinel": func(ctx context.Context, _ error) error { return ctx.Err() },
		"nothing":      func(context.Context, error) error { return nil },
		"a failure":    func(_ context.Context, err error) error { return errors.Join(err, errOops) },
	}
	for how, cancel := range cancels {
		for what, ret := range returns {
			for _, reports := range []bool{true, false} {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					var started error
					err := task.Scope(ctx, func(ctx context.Context) error {
						task.Go(ctx, func(ctx context.Context) error {
							ctx, release := cancel(ctx)
							defer release()
							_, started = task.StartReady(ctx, func(ctx context.Context, ready func(int)) error {
								err := forever(ctx)
								if reports {
									ready(3)
								}
								return ret(ctx, err)
							})
							return nil
						})
						return nil
					})
					if expected := map[bool]error{true: context.DeadlineExceeded, false: errOther}[how == "deadline"]; !errors.Is(started, expected) {
						t.Errorf("%s, %s: StartReady = %v, want the cancel", how, what, started)
					}
					if want := what == "a failure"; want != (err != nil) || want && !errors.Is(err, errOops) {
						t.Errorf("%s, %s, reports %v: Scope = %v", how, what, reports, err)
					}
				})
			}
		}
	}
}
