// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"baton/await"
	"baton/internal/bridge"
	"baton/sim"
	"baton/task"
)

// Standard contexts that are derived from a context of a task are cancelled together with
// it. They return the same Err and Cause, and start no goroutine.
func TestDerivedContextIsCancelledTogether(t *testing.T) {
	type key struct{}
	derive := map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
		"itself": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"WithValue": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithValue(ctx, key{}, 1), func() {}
		},
		"WithCancel": func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
		"WithTimeout": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		},
		"WithCancel of WithValue": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithValue(ctx, key{}, 1))
		},
	}
	cancels := map[string]struct {
		cancel     func(ctx context.Context, within func(ctx context.Context))
		err, cause error
	}{
		"Scope": {func(ctx context.Context, within func(ctx context.Context)) {
			task.Scope(ctx, func(ctx context.Context) error {
				within(ctx)
				return nil
			})
		}, context.Canceled, errOops},
		"WithDeadline": {func(ctx context.Context, within func(ctx context.Context)) {
			ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
			defer release()
			within(ctx)
		}, context.DeadlineExceeded, context.DeadlineExceeded},
		"Cancel": {func(ctx context.Context, within func(ctx context.Context)) {
			task.Start(ctx, func(ctx context.Context) (int, error) {
				within(ctx)
				return 0, nil
			}).Await(ctx)
		}, context.Canceled, errOops},
	}
	for how, c := range cancels {
		for name, derive := range derive {
			t.Run(how+"/"+name, func(t *testing.T) {
				err := task.Run(context.Background(), func(ctx context.Context) error {
					c.cancel(ctx, func(ctx context.Context) {
						before := runtime.NumGoroutine()
						derived, release := derive(ctx)
						defer release()
						done := derived.Done()
						if now := runtime.NumGoroutine(); now > before {
							t.Errorf("deriving started %d goroutines", now-before)
						}
						if derived.Err() != nil || context.Cause(derived) != nil {
							t.Errorf("before: Err = %v, Cause = %v", derived.Err(), context.Cause(derived))
						}
						switch how {
						case "Scope":
							task.ScopeOf(ctx).Cancel(errOops)
						case "Cancel":
							task.Self(ctx).Cancel(errOops)
						default:
							await.Reschedule(ctx, task.Now(ctx))
						}
						<-done // must be closed already
						if derived.Err() != c.err || context.Cause(derived) != c.cause {
							t.Errorf("Err = %v, Cause = %v, want %v, %v", derived.Err(), context.Cause(derived), c.err, c.cause)
						}
						late, release := derive(ctx)
						defer release()
						if late.Err() != c.err || context.Cause(late) != c.cause {
							t.Errorf("derived late: Err = %v, Cause = %v", late.Err(), context.Cause(late))
						}
						err := forever(derived)
						other := context.Canceled
						if c.err == context.Canceled {
							other = context.DeadlineExceeded
						}
						if !errors.Is(err, c.err) || !errors.Is(err, c.cause) || errors.Is(err, other) {
							t.Errorf("a wait under the derived context = %v", err)
						}
					})
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A cancel of a standard context ends waits under it: of the task itself, of a scope, of
// another task and of a deadline block.
func TestStandardCancelEndsWaits(t *testing.T) {
	under := map[string]func(ctx context.Context) error{
		"park":  forever,
		"sleep": func(ctx context.Context) error { return sleep(ctx, time.Hour) },
		"scope": func(ctx context.Context) error { return task.Scope(ctx, forever) },
		"task": func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context) error {
				task.Go(context.WithValue(ctx, anyKey{}, 1), forever)
				return nil
			})
		},
		"timeout": func(ctx context.Context) error {
			ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
			defer release()
			return forever(ctx)
		},
	}
	for name, fn := range under {
		for _, when := range []string{"before", "meanwhile"} {
			t.Run(name+"/"+when, func(t *testing.T) {
				err := task.Run(context.Background(), func(ctx context.Context) error {
					derived, cancel := context.WithCancelCause(ctx)
					if when == "before" {
						cancel(errOops)
					} else {
						task.Go(ctx, func(ctx context.Context) error {
							turns(ctx, 2)
							go cancel(errOops)
							return nil
						})
					}
					err := fn(derived)
					if !errors.Is(err, errOops) || !errors.Is(err, context.Canceled) {
						t.Errorf("%v, want %v", err, errOops)
					}
					return task.Check(ctx)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// If a standard context is already cancelled, the first switch point under it returns the
// cancel.
func TestContextUnderCancelledStandardContext(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		derived, cancel := context.WithCancelCause(ctx)
		cancel(errOops)
		check := func(name string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				if err := task.Check(ctx); !errors.Is(err, errOops) || context.Cause(ctx) != errOops {
					t.Errorf("%s: Check = %v, Cause = %v", name, err, context.Cause(ctx))
				}
				return nil
			}
		}
		task.Scope(derived, check("Scope"))
		task.Go(derived, check("Go"))
		limited, release := await.WithDeadline(derived, task.Now(ctx).Add(time.Hour))
		defer release()
		return check("WithDeadline")(limited)
	})
}

// A deadline cancels the standard contexts under it. A task there returns both cancels, and
// they still count as the cancel of that deadline.
func TestDeadlineAroundStandardContext(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		limited, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Second))
		defer release()
		derived, cancel := context.WithCancel(limited)
		defer cancel()
		err := task.Scope(derived, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				err := forever(ctx)
				shielded, release := task.Shield(ctx, -1)
				defer release()
				sleep(shielded, time.Second) // the loop polls during the sleep
				return errors.Join(err, task.Check(ctx))
			})
			return nil
		})
		if !bridge.Expired(limited, err) {
			t.Errorf("%v does not count as the deadline's cancel", err)
		}
		return nil
	})
}

// On the real clock, a standard timeout is a DeadlineExceeded.
func TestStandardTimeout(t *testing.T) {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, time.Millisecond, errOops)
		defer cancel()
		return forever(ctx)
	})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errOops) || errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// In a simulation, a standard cancel always takes effect before the time advances.
func TestStandardCancelInSimulator(t *testing.T) {
	for range 200 {
		inEachWorld(t, func(ctx context.Context, t *testing.T) {
			derived, cancel := context.WithCancel(ctx)
			start := task.Now(ctx)
			task.Go(ctx, func(ctx context.Context) error {
				err := sleep(ctx, time.Millisecond)
				cancel()
				return err
			})
			err := sleep(derived, time.Hour)
			if passed := task.Now(ctx).Sub(start); !errors.Is(err, context.Canceled) || passed != time.Millisecond {
				t.Errorf("sleep = %v after %v", err, passed)
			}
		})
	}
}

// inEachWorld runs fn in a simulation, and on a loop with a virtual clock.
func inEachWorld(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	sim.Test(t, fn)
	mustRun(t, func(ctx context.Context) error {
		fn(ctx, t)
		return nil
	})
}

// On a virtual clock, a standard deadline panics.
func TestStandardDeadlineOnVirtualClockPanics(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		derived, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		for name, use := range map[string]func(){
			"park":  func() { forever(derived) },
			"scope": func() { task.Scope(derived, forever) },
		} {
			if panicOf(use) == nil {
				t.Errorf("%s under a standard deadline did not panic", name)
			}
		}
		return nil
	})
}
