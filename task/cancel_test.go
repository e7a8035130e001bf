// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"baton/task"
)

// A task that is cancelled before its first step still runs up to its first switch point.
func TestCancelBeforeFirstStep(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		began := false
		tk := task.Start(ctx, func(ctx context.Context) (int, error) {
			began = true
			return 1, task.Yield(ctx)
		})
		tk.Cancel(errOops)
		if _, err := tk.Await(ctx); !began || !errors.Is(err, errOops) {
			t.Errorf("began %v, %v", began, err)
		}
		return nil
	})
}

// A cancel lasts: a task can ignore it, but every switch point returns it again, without
// waiting.
func TestCancelLasts(t *testing.T) {
	points := map[string]func(ctx context.Context) error{
		"Yield":      task.Yield,
		"Check":      task.Check,
		"Checkpoint": func(ctx context.Context) error { _, err := task.Checkpoint(ctx); return err },
		"ParkUntil":  func(ctx context.Context) error { return sleep(ctx, time.Hour) },
		"ParkUntil, past": func(ctx context.Context) error {
			return sleep(ctx, -time.Hour)
		},
		"WaitQueue": forever,
		"Park":      func(ctx context.Context) error { return task.Park(ctx, new(agreer)) },
		"Future":    func(ctx context.Context) error { _, err := new(task.Future[int]).Await(ctx); return err },
		"Future, done": func(ctx context.Context) error {
			var f task.Future[int]
			f.Set(1)
			_, err := f.Await(ctx)
			return err
		},
		"Await": func(ctx context.Context) error {
			tk := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, forever(ctx) })
			_, err := tk.Await(ctx)
			return err
		},
		"StartReady": func(ctx context.Context) error {
			_, err := task.StartReady(ctx, func(ctx context.Context, _ func(int)) error { return forever(ctx) })
			return err
		},
	}
	for name, point := range points {
		t.Run(name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				start := task.Now(ctx)
				tk := task.Start(ctx, func(ctx context.Context) (int, error) {
					task.Self(ctx).Cancel(errOops)
					for range 3 {
						err := point(ctx)
						var c *task.Canceled
						if !errors.As(err, &c) || !errors.Is(err, errOops) || !errors.Is(err, context.Canceled) {
							t.Errorf("%s = %v", name, err)
						}
					}
					return 42, nil
				})
				if v, err := tk.Await(ctx); v != 42 || err != nil {
					t.Errorf("Await of a task that ignored its cancel = %v, %v, want 42", v, err)
				}
				if passed := task.Now(ctx).Sub(start); passed != 0 {
					t.Errorf("%v passed", passed)
				}
				return nil
			})
		})
	}
}

// refuser is a Waiter that no cancel ends, like a wait that has lent a buffer.
type refuser struct {
	calls int
	ref   *task.Ref
}

func (*refuser) Reason() string      { return "a buffer" }
func (*refuser) Owners() []*task.Ref { return nil }
func (r *refuser) Cancel(ref *task.Ref) bool {
	r.calls++
	r.ref = ref
	return false
}

// agreer is a Waiter that every cancel ends.
type agreer struct{ refuser }

func (a *agreer) Cancel(ref *task.Ref) bool {
	a.refuser.Cancel(ref)
	return true
}

// If ctx is already cancelled, Park calls Cancel before it waits, so that the Waiter can
// undo its preparations. If Cancel returns false, the wait lasts until it is woken.
func TestParkUnderCancel(t *testing.T) {
	for _, standard := range []bool{false, true} {
		mustRun(t, func(ctx context.Context) error {
			waiting := new(refuser)
			tk := task.Start(ctx, func(ctx context.Context) (int, error) {
				if standard {
					derived, cancel := context.WithCancel(ctx)
					cancel()
					ctx = derived
				} else {
					task.Self(ctx).Cancel(nil)
				}
				given := new(agreer)
				if err := task.Park(ctx, given); !errors.Is(err, context.Canceled) || given.calls != 1 || given.ref != task.Self(ctx) {
					t.Errorf("Park = %v after %d calls of Cancel for %v", err, given.calls, given.ref)
				}
				return 1, task.Park(ctx, waiting)
			})
			turns(ctx, 4)
			if waiting.calls != 1 || tk.State() != task.Parked {
				t.Errorf("%d calls of Cancel for %v, which is %v", waiting.calls, waiting.ref, tk.State())
			}
			tk.Wake()
			if n, err := tk.Await(ctx); n != 1 || err != nil {
				t.Errorf("Await = %d, %v", n, err)
			}
			return nil
		})
	}
}

// A wait whose Waiter refuses the cancel ends with nil when it is woken. The next switch
// point returns the cancel.
func TestRefusedCancelComesAtTheNextSwitchPoint(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var wait refuser
		tk := task.Start(ctx, func(ctx context.Context) (int, error) {
			if err := task.Park(ctx, &wait); err != nil {
				t.Errorf("Park = %v", err)
			}
			return 0, task.Check(ctx)
		})
		turns(ctx, 2)
		tk.Cancel(errOops)
		turns(ctx, 2)
		if wait.calls != 1 || wait.ref != &tk.Ref || tk.State() != task.Parked {
			t.Errorf("%d calls of Cancel for %v, which is %v", wait.calls, wait.ref, tk.State())
		}
		tk.Wake()
		if _, err := tk.Await(ctx); !errors.Is(err, errOops) {
			t.Errorf("Await = %v", err)
		}
		if panicOf(tk.Wake) == nil {
			t.Error("Wake of a task that has ended did not panic")
		}
		return nil
	})
}

// A wake-up beats a cancel that comes before the task runs. If the cancel came first, the
// wake-up goes to the next waiter.
func TestWakeUpBeatsCancel(t *testing.T) {
	t.Run("woken, then cancelled", func(t *testing.T) {
		mustRun(t, func(ctx context.Context) error {
			var q task.WaitQueue
			var f task.Future[int]
			when := task.Now(ctx).Add(time.Second)
			var tasks []*task.Task[int]
			task.Loop(ctx).CallAt(when, func() { // due at the same time as the sleep, and before it
				q.WakeOne()
				f.Set(2)
				for _, tk := range tasks {
					if tk.State() != task.Ready {
						t.Errorf("%v is %v", tk, tk.State())
					}
					tk.Cancel(errOops)
				}
			})
			for _, fn := range []func(ctx context.Context) (int, error){
				func(ctx context.Context) (int, error) { return 1, q.Wait(ctx, task.Text("a test")) },
				func(ctx context.Context) (int, error) { return f.Await(ctx) },
				func(ctx context.Context) (int, error) { return 3, task.ParkUntil(ctx, when) },
			} {
				tasks = append(tasks, task.Start(ctx, fn))
			}
			for i, tk := range tasks {
				if v, err := tk.Await(ctx); v != i+1 || err != nil {
					t.Errorf("task %d lost its result: %v, %v", i, v, err)
				}
			}
			return nil
		})
	})
	t.Run("cancelled, then woken", func(t *testing.T) {
		mustRun(t, func(ctx context.Context) error {
			var q task.WaitQueue
			wait := func(ctx context.Context) (int, error) { return 1, q.Wait(ctx, task.Text("a test")) }
			first, second := task.Start(ctx, wait), task.Start(ctx, wait)
			turns(ctx, 2)
			first.Cancel(errOops)
			if r := q.WakeOne(); r != &second.Ref {
				t.Errorf("woke %v", r)
			}
			if _, err := first.Await(ctx); !errors.Is(err, errOops) {
				t.Errorf("the first = %v", err)
			}
			if v, err := second.Await(ctx); v != 1 || err != nil {
				t.Errorf("the second = %v, %v", v, err)
			}
			if q.Len() != 0 || q.First() != nil || q.WakeOne() != nil {
				t.Errorf("%d still wait", q.Len())
			}
			return nil
		})
	})
}

// An error of the cleanup replaces the cancel.
func TestCleanupErrorReplacesCancel(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		tk := task.Start(ctx, func(ctx context.Context) (v int, err error) {
			defer func() { err = errOther }()
			return 0, forever(ctx)
		})
		turns(ctx, 2)
		tk.Cancel(errOops)
		if _, err := tk.Await(ctx); err != errOther {
			t.Errorf("Await = %v", err)
		}
		return nil
	})
}

// The first cause of a cancel stays, both in the errors of switch points and in the
// context.
func TestFirstCauseStays(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		tk := task.Start(ctx, func(ctx context.Context) (int, error) {
			err := forever(ctx)
			if context.Cause(ctx) != errOops {
				t.Errorf("Cause = %v", context.Cause(ctx))
			}
			return 0, err
		})
		turns(ctx, 2)
		if !tk.Cancel(errOops) || !tk.Cancel(errOther) {
			t.Error("Cancel of a live task must be true")
		}
		if _, err := tk.Await(ctx); !errors.Is(err, errOops) || errors.Is(err, errOther) {
			t.Errorf("Await = %v", err)
		}
		return nil
	})
}

// An inner cancel does not replace an outer one.
func TestOuterCancelStays(t *testing.T) {
	ends := map[string]func(ctx context.Context, s *task.ScopeRef){
		"Cancel":      func(_ context.Context, s *task.ScopeRef) { s.Cancel(errOther) },
		"task Cancel": func(ctx context.Context, _ *task.ScopeRef) { task.Self(ctx).Cancel(errOther) },
		"failure": func(ctx context.Context, s *task.ScopeRef) {
			s.Go(fails(0, errOther))
			shielded, release := task.Shield(ctx, 0)
			defer release()
			turns(shielded, 2)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				var scope error
				within(ctx, time.Second, func(ctx context.Context) error {
					scope = task.Scope(ctx, func(ctx context.Context) error {
						s := task.ScopeOf(ctx)
						inner := task.Start(ctx, func(ctx context.Context) (int, error) {
							forever(ctx)
							end(ctx, s)
							if err := task.Check(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errOther) {
								t.Errorf("an inner cancel has replaced the outer deadline: %v", err)
							}
							return 0, nil
						})
						forever(ctx)
						shielded, release := task.Shield(ctx, 0)
						defer release()
						inner.Await(shielded)
						return nil
					})
					return scope
				})
				if (name == "task Cancel") != (scope == nil) || scope != nil && scope != errOther {
					t.Errorf("Scope = %v", scope)
				}
				return nil
			})
		})
	}
}

// The first cause of a scope's Cancel or failure stays, even if an outer scope has been
// cancelled since.
func TestFirstCauseOfScopeStays(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		for _, cancelled := range []bool{true, false} {
			var scope error
			within(ctx, time.Second, func(ctx context.Context) error {
				scope = task.Scope(ctx, func(ctx context.Context) error {
					s := task.ScopeOf(ctx)
					if cancelled {
						s.Cancel(errOops)
					} else {
						s.Go(fails(0, errOops))
					}
					shielded, release := task.Shield(ctx, 0)
					defer release()
					sleep(shielded, 2*time.Second) // the deadline passes
					s.Cancel(errOther)
					return nil
				})
				return scope
			})
			if scope != errOops {
				t.Errorf("Scope = %v, want the first cause", scope)
			}
		}
		return nil
	})
}

// A cancel reaches the waiting tasks of a scope in the order of their creation.
func TestCancelReachesTasksInOrder(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var order []int
		task.Scope(ctx, func(ctx context.Context) error {
			for i := range 5 {
				task.Go(ctx, func(ctx context.Context) error {
					err := forever(ctx)
					order = append(order, i)
					return err
				})
			}
			turns(ctx, 2)
			task.ScopeOf(ctx).Cancel(nil)
			return nil
		})
		for i, v := range order {
			if i != v {
				t.Errorf("order = %v", order)
			}
		}
		return nil
	})
}
