// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// Tasks may start while the scope waits for its tasks, even in a cancelled scope. They
// begin, and the scope waits for them.
func TestTasksStartAfterTheFunctionOfScope(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var began, cancelled int
		late := func(ctx context.Context) error {
			began++
			if err := task.Yield(ctx); err != nil {
				cancelled++
			}
			return nil
		}
		err := task.Scope(ctx, func(ctx context.Context) error {
			s := task.ScopeOf(ctx)
			task.Go(ctx, func(ctx context.Context) error {
				turns(ctx, 2)
				task.Go(ctx, late)
				s.Cancel(nil)
				task.Go(ctx, late)
				s.Go(late)
				return nil
			})
			return nil
		})
		if err != nil || began != 3 || cancelled != 3 {
			t.Errorf("%d tasks began, %d saw the cancel, %v", began, cancelled, err)
		}
		return nil
	})
}

// An outer scope is cancelled while an inner scope runs.
func TestOuterCancelOfScope(t *testing.T) {
	for name, ret := range map[string]func(err error) error{
		"cancel":  func(err error) error { return err },
		"nil":     func(error) error { return nil },
		"failure": func(error) error { return errOther },
	} {
		t.Run(name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				var inner error
				outer := task.Scope(ctx, func(ctx context.Context) error {
					s := task.ScopeOf(ctx)
					task.Go(ctx, func(ctx context.Context) error {
						turns(ctx, 2)
						s.Cancel(errOops)
						return nil
					})
					inner = task.Scope(ctx, func(ctx context.Context) error {
						task.Go(ctx, func(ctx context.Context) error { return ret(forever(ctx)) })
						return ret(forever(ctx))
					})
					return inner
				})
				if name == "failure" {
					if inner != errOther || outer != errOther {
						t.Errorf("inner = %v, outer = %v, want %v", inner, outer, errOther)
					}
				} else if outer != errOops || (name == "cancel") != errors.Is(inner, errOops) {
					t.Errorf("inner = %v, outer = %v", inner, outer)
				}
				return nil
			})
		})
	}
}

// If an outer cancel ends the tasks of a scope, Scope returns the cancel, with or without a
// cause, even if its function had returned before.
func TestScopeReturnsOuterCancelOfItsTasks(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		for _, cause := range []error{nil, errOops} {
			work := task.Start(ctx, func(ctx context.Context) (int, error) {
				return 0, task.Scope(ctx, func(ctx context.Context) error {
					task.Go(ctx, forever)
					return nil
				})
			})
			turns(ctx, 3)
			work.Cancel(cause)
			if _, err := work.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled with %v, Scope = %v", cause, err)
			}
		}
		return turns(ctx, 2)
	})
}

// The context of a scope ends with the scope, as in errgroup.
func TestContextEndsWithItsScope(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var early, late context.Context
		task.Scope(ctx, func(ctx context.Context) error { early = ctx; ctx.Done(); return nil })
		task.Scope(ctx, func(ctx context.Context) error { late = ctx; return nil })
		for name, ended := range map[string]context.Context{"Done before": early, "Done after": late} {
			select {
			case <-ended.Done():
			default:
				t.Errorf("%s: the context of an ended scope is not done", name)
			}
			if err := forever(ended); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: a wait under it = %v, want canceled", name, err)
			}
		}
		return task.Check(ctx)
	})
}

func TestScopeRefStartsAndCancelsTasks(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var s *task.ScopeRef
		var refs []*task.Ref
		err := task.Scope(ctx, func(ctx context.Context) error {
			s = task.ScopeOf(ctx)
			task.Scope(ctx, func(ctx context.Context) error {
				refs = append(refs, s.Go(forever)) // outlives this scope
				return nil
			})
			task.Loop(ctx).CallSoon(func() { refs = append(refs, s.Go(forever)) })
			turns(ctx, 2)
			if !slices.Equal(s.Tasks(), refs) || s.Len() != len(refs) {
				t.Errorf("Tasks = %v, %d of them, want %v", s.Tasks(), s.Len(), refs)
			}
			s.Cancel(errOops)
			s.Cancel(errOther) // the first cause stays
			return forever(ctx)
		})
		if err != errOops || len(refs) != 2 {
			t.Errorf("Scope = %v, %d tasks", err, len(refs))
		}
		if panicOf(func() { s.Go(forever) }) == nil {
			t.Error("Go in a scope that has ended did not panic")
		}
		s.Cancel(errOops)
		if len(s.Tasks()) != 0 || s.Len() != 0 {
			t.Errorf("Tasks of a scope that has ended = %v, %d", s.Tasks(), s.Len())
		}
		return turns(ctx, 2)
	})
}

// A long-lived scope does not grow with the number of ended tasks.
func TestScopeDoesNotGrow(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		s := task.ScopeOf(ctx)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		round := func() {
			for range 2000 {
				task.Go(ctx, fails(0, nil))
				task.Start(ctx, func(context.Context) (int, error) { return 0, nil })
				task.OpenPortal(ctx).Close()
				task.Yield(ctx)
			}
		}
		round()
		before := heap()
		round()
		if after := heap(); after > before+200_000 || len(s.Tasks()) != 0 {
			t.Errorf("the heap grew from %d to %d", before, after)
		}
		return nil
	})
}

// Further cancels during the cleanup of a scope neither disturb the cleanup nor end the
// scope again. Scope returns the first cause.
func TestCancelsDuringCleanup(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		began := task.Now(ctx)
		cleaned, returned := 0, 0
		owner := task.Start(ctx, func(ctx context.Context) (int, error) {
			var s *task.ScopeRef
			err := task.Scope(ctx, func(ctx context.Context) error {
				s = task.ScopeOf(ctx)
				for range 2 {
					task.Go(ctx, func(ctx context.Context) error {
						err := forever(ctx)
						shielded, release := task.Shield(ctx, 0)
						defer release()
						if sleep(shielded, time.Second) == nil {
							cleaned++
						}
						return err
					})
				}
				task.Loop(ctx).CallLater(100*time.Millisecond, func() { s.Cancel(errOops) })
				task.Loop(ctx).CallLater(200*time.Millisecond, func() { s.Cancel(errOther) })
				return nil
			})
			returned++
			s.Cancel(errOther)
			if err != errOops {
				t.Errorf("Scope = %v, want %v", err, errOops)
			}
			return 0, task.Check(ctx)
		})
		outerCancel := func() { owner.Cancel(errOther) }
		task.Loop(ctx).CallLater(300*time.Millisecond, outerCancel)
		if _, err := owner.Await(ctx); !errors.Is(err, errOther) {
			t.Errorf("the task of the scope ends with %v", err)
		}
		if took := task.Now(ctx).Sub(began); cleaned != 2 || returned != 1 || took != 1100*time.Millisecond {
			t.Errorf("cleaned up %d times, returned %d times, after %v", cleaned, returned, took)
		}
		return nil
	})
}

// A panic in a scope's function continues after the tasks have ended.
func TestPanicInFunctionOfScope(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		ended := false
		v := panicOf(func() {
			task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					err := forever(ctx)
					ended = true
					return err
				})
				turns(ctx, 1)
				panic(errOops)
			})
		})
		if v != any(errOops) || !ended {
			t.Errorf("panicked with %v, the task has ended: %v", v, ended)
		}
		return turns(ctx, 2)
	})
}

// Which returned cancels are failures. For the scope's function, only the scope's own
// cancel is no failure.
func TestWhichCancelsAreFailures(t *testing.T) {
	canceled := func(ctx context.Context) *task.Task[struct{}] {
		r := task.StartErr(ctx, forever)
		r.Cancel(nil)
		return r
	}
	awaited := func(ctx context.Context, r *task.Task[struct{}]) error { _, err := r.Await(ctx); return err }
	timed := func(ctx context.Context, fn func(ctx context.Context) error) error {
		ctx, release := await.WithTimeout(ctx, time.Second)
		defer release()
		return fn(ctx)
	}
	ofScope := func(ctx context.Context) error { task.ScopeOf(ctx).Cancel(nil); return forever(ctx) }
	for _, test := range []struct {
		name  string
		fn    func(ctx context.Context) error
		fails bool
	}{
		{"the function, of the scope", ofScope, false},
		{"the function, of a task", func(ctx context.Context) error { return awaited(ctx, canceled(ctx)) }, true},
		{"the function, of its timeout", func(ctx context.Context) error { return timed(ctx, forever) }, true},
		{"a task, of the scope", func(ctx context.Context) error { task.Go(ctx, ofScope); return nil }, false},
		{"a task, of another task", func(ctx context.Context) error {
			other := canceled(ctx)
			task.Go(ctx, func(ctx context.Context) error { return awaited(ctx, other) })
			return nil
		}, false},
		{"a task, of a timeout around its start", func(ctx context.Context) error {
			timed(ctx, func(ctx context.Context) error { task.Go(ctx, forever); return forever(ctx) })
			return nil
		}, false},
		{"a task, of its own timeout", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return timed(ctx, forever) })
			return nil
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				if err := task.Scope(ctx, test.fn); (err != nil) != test.fails {
					t.Errorf("Scope = %v, want a failure: %v", err, test.fails)
				}
				return nil
			})
		})
	}
}
