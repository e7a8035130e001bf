// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/task"
)

// Run panics with the panic of a task, with the task's own stack. The siblings are
// cancelled and clean up before that.
func TestRunPanicsWithPanicOfTask(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		cleaned := false
		v := panicOf(func() {
			r.Run(context.Background(), func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					turns(ctx, 1)
					explode()
					return nil
				}).SetName("bomb")
				err := forever(ctx)
				cleaned = true
				return err
			})
		})
		p, ok := v.(*task.PanicError)
		if !ok || p.Value != any(errOops) || !errors.Is(p, errOops) || !cleaned || p.Task != "task 2 (bomb)" {
			t.Fatalf("panicked with %v, cleaned %v", v, cleaned)
		}
		if lines := strings.Split(string(p.Stack), "\n"); !strings.Contains(lines[1], "task_test.explode") {
			t.Errorf("the stack does not begin where the task panicked:\n%s", p.Stack)
		}
	})
}

func explode() { panic(errOops) }

// If a task drops a panic, the exception handler receives it, once. The handler also
// receives all panics except the one with which Run panics.
func TestDroppedPanicIsReportedOnce(t *testing.T) {
	boom := func(v any) func(ctx context.Context) error { return func(context.Context) error { panic(v) } }
	tests := map[string]struct {
		main     func(ctx context.Context) error
		reported int
		fatal    any
	}{
		"the error of Scope is dropped": {func(ctx context.Context) error {
			task.Scope(ctx, func(ctx context.Context) error { task.Go(ctx, boom("one")); return nil })
			return nil
		}, 1, nil},
		"dropped and reported": {func(ctx context.Context) error {
			err := task.Scope(ctx, func(ctx context.Context) error { task.Go(ctx, boom("one")); return nil })
			var p *task.PanicError
			if errors.As(err, &p) {
				p.Report(ctx)
				p.Report(ctx)
			}
			return nil
		}, 1, nil},
		"replaced by another error": {func(ctx context.Context) error {
			task.Scope(ctx, func(ctx context.Context) error { task.Go(ctx, boom("one")); return nil })
			return errOops
		}, 1, nil},
		"two at the same time": {func(ctx context.Context) error {
			task.Go(ctx, boom("one"))
			task.Go(ctx, boom("two"))
			return nil
		}, 1, "one"},
		"one, and one in the cleanup of main": {func(ctx context.Context) error {
			task.Go(ctx, boom("one"))
			forever(ctx)
			panic("two")
		}, 1, "two"},
		"the cause of a cancel that is dropped": {func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				task.Scope(ctx, func(ctx context.Context) error { task.Go(ctx, forever); return nil })
				return nil
			})
			task.Go(ctx, func(ctx context.Context) error { turns(ctx, 3); return boom("one")(ctx) })
			return nil
		}, 0, "one"},
		"the cause of a cancel that is awaited": {func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				shielded, release := task.Shield(ctx, -1)
				defer release()
				err := task.Scope(ctx, func(ctx context.Context) error {
					task.Start(ctx, func(ctx context.Context) (int, error) { return 0, forever(ctx) }).Await(shielded)
					return nil
				})
				if err != nil {
					panic("two")
				}
				return nil
			})
			task.Go(ctx, func(ctx context.Context) error { turns(ctx, 3); return boom("one")(ctx) })
			return nil
		}, 0, "one"},
		"none": {func(ctx context.Context) error { return nil }, 0, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := newVirtual(t)
			reported := 0
			l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
				if len(e.Stack) == 0 || e.Err == nil {
					t.Errorf("exception without error or stack: %v", e)
				}
				reported++
			})
			v := panicOf(func() { task.Runner{Loop: l}.Run(context.Background(), test.main) })
			p, _ := v.(*task.PanicError)
			if (test.fatal == nil) != (v == nil) || p != nil && p.Value != test.fatal {
				t.Errorf("Run panicked with %v, want %v", v, test.fatal)
			}
			if reported != test.reported {
				t.Errorf("%d reported, want %d", reported, test.reported)
			}
		})
	}
}

// Goexit in main ends the goroutine that called Run, after all tasks have ended. In another
// task, it fails the scope. Neither leaks a goroutine.
func TestGoexitInMainAndTasks(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		before := goleak.IgnoreCurrent()
		done := make(chan bool, 1)
		cleaned := false
		go func() {
			returned := false
			defer func() { done <- returned }()
			r.Run(context.Background(), func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					err := forever(ctx)
					cleaned = true
					return err
				})
				turns(ctx, 1)
				runtime.Goexit()
				return nil
			})
			returned = true
		}()
		if <-done || !cleaned {
			t.Errorf("Run returned, or left a task behind: cleaned %v", cleaned)
		}
		for n := range 5 {
			err := r.Run(context.Background(), func(ctx context.Context) error {
				for i := range 20 {
					task.Go(ctx, func(ctx context.Context) error {
						defer turns(ctx, 2) // it may still switch
						turns(ctx, i%3)
						if i%5 < n {
							runtime.Goexit()
						}
						return nil
					})
				}
				return turns(ctx, 5)
			})
			if (n > 0) != errors.Is(err, task.ErrGoexit) {
				t.Errorf("Run = %v", err)
			}
		}
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	})
}

// A dropped panic is reported when the task that dropped it ends, not only when Run ends.
func TestDroppedPanicIsReportedSoon(t *testing.T) {
	l := newVirtual(t)
	reported := 0
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
		if reported++; !errors.Is(e.Err, errOops) { // the same as for the panic of a callback
			t.Errorf("reported %v, want %v", e.Err, errOops)
		}
	})
	err := task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
		_, err := task.Start(ctx, func(ctx context.Context) (int, error) {
			task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(context.Context) error { panic(errOops) })
				return nil
			})
			return 0, nil
		}).Await(ctx)
		task.Yield(ctx) // the handler runs in a callback
		if reported != 1 {
			t.Errorf("%d reported", reported)
		}
		return err
	})
	if err != nil || reported != 1 {
		t.Errorf("Run = %v, %d reported", err, reported)
	}
}

// More tasks end than goroutines are kept for new tasks, some of them by Goexit. The kept
// goroutines still run new tasks.
func TestManyTasksEndByGoexit(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		ended := 0
		err := r.Run(context.Background(), func(ctx context.Context) error {
			for range 3 {
				err := task.Scope(ctx, func(ctx context.Context) error {
					for i := range 2000 {
						task.Start(ctx, func(ctx context.Context) (int, error) {
							forever(ctx)
							cleanup, release := task.Shield(ctx, -1)
							defer release()
							turns(cleanup, i*i%7) // they end in a mixed order
							ended++
							if i%3 == 0 {
								runtime.Goexit()
							}
							return 0, nil
						})
					}
					turns(ctx, 2)
					task.ScopeOf(ctx).Cancel(nil)
					return nil
				})
				if err != task.ErrGoexit {
					t.Errorf("Scope = %v", err)
				}
			}
			return nil
		})
		if ended != 3*2000 || err != nil {
			t.Errorf("%d ended, %v", ended, err)
		}
	})
}

// If a deferred call panics during a Goexit, the goroutine still passes the baton on.
func TestPanicInDeferredCallDuringGoexit(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		defer func() {
			if p, ok := recover().(*task.PanicError); !ok || p.Value != errOops {
				t.Errorf("Run panicked with %v", p)
			}
		}()
		r.Run(context.Background(), func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				defer panic(errOops)
				runtime.Goexit()
				return nil
			})
			return turns(ctx, 3)
		})
	})
}

// If a panic and other failures come in one scope, Scope returns all of them, the first one
// first. Run then panics.
func TestScopeReturnsPanicAndFailures(t *testing.T) {
	panics := func(ctx context.Context) error {
		forever(ctx)
		panic("late")
	}
	cleans := func(ctx context.Context) error {
		forever(ctx)
		return errOther
	}
	for name, fns := range map[string][]func(ctx context.Context) error{
		"the panic first":  {func(context.Context) error { panic("early") }, cleans},
		"the panic last":   {fails(1, errOther), panics},
		"between failures": {fails(1, errOops), panics, cleans},
	} {
		t.Run(name, func(t *testing.T) {
			var scope error
			l := newVirtual(t)
			v := panicOf(func() {
				task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
					scope = task.Scope(ctx, func(ctx context.Context) error {
						for _, fn := range fns {
							task.Go(ctx, fn)
						}
						return nil
					})
					return scope
				})
			})
			var p *task.PanicError
			if !errors.As(scope, &p) || !errors.Is(scope, errOther) || v != any(p) {
				t.Errorf("Scope = %v; Run panicked with %v", scope, v)
			}
			all, _ := scope.(interface{ Unwrap() []error })
			if all == nil || len(all.Unwrap()) != len(fns) || (all.Unwrap()[0] == error(p)) != (name == "the panic first") {
				t.Errorf("Scope = %v, in another order", scope)
			}
		})
	}
}

// A panic whose value is the cancel of its scope is still a panic.
func TestPanicWithCancel(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		defer func() {
			if p, ok := recover().(*task.PanicError); !ok || !errors.Is(p, context.Canceled) {
				t.Errorf("Run panicked with %v", p)
			}
		}()
		r.Run(context.Background(), func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { panic(forever(ctx)) })
			turns(ctx, 2)
			task.ScopeOf(ctx).Cancel(nil)
			return nil
		})
	})
}

// If the exception handler calls Goexit, like t.Fatal does, the task still ends.
func TestGoexitInExceptionHandler(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		ended := make(chan error, 1)
		go func() {
			defer close(ended)
			l, err := loop.New(loop.Config{})
			if err != nil {
				ended <- err
				return
			}
			defer l.Close()
			l.SetExceptionHandler(func(*loop.Loop, loop.Exception) { runtime.Goexit() })
			r.Loop = l
			ended <- r.Run(context.Background(), func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					task.Scope(ctx, func(ctx context.Context) error {
						task.Go(ctx, func(context.Context) error { panic("dropped") })
						return nil
					})
					return nil
				})
				return task.ParkUntil(ctx, task.Now(ctx).Add(time.Millisecond))
			})
		}()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Fatal("Run hangs")
		}
	})
}
