// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// The results are in the order of the arguments. A task may occur twice, and may have ended
// before the call.
func TestAllReturnsResultsInOrder(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		a, b, c := after(ctx, 3*time.Second, 1, nil), after(ctx, time.Second, 2, nil), after(ctx, 0, 3, nil)
		check(t, "Sleep", await.Sleep(ctx, time.Millisecond))
		got, err := await.All(ctx, a, c, b, a)
		check(t, "All", err)
		if !slices.Equal(got, []int{1, 3, 2, 1}) {
			t.Errorf("All = %v", got)
		}
		took(ctx, t, began, 3*time.Second)
		got, err = await.All[int](ctx)
		check(t, "All without tasks", err)
		if len(got) != 0 {
			t.Errorf("All without tasks = %v", got)
		}
	})
}

// All returns the first error in time at once, and the other tasks go on. The cancel of a
// task counts as its error.
func TestAllReturnsFirstError(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		slow := after(ctx, time.Hour, 1, nil)
		failing := after(ctx, time.Second, 2, errBody)
		if _, err := await.All(ctx, slow, failing, after(ctx, 2*time.Second, 3, nil)); err != errBody {
			t.Errorf("All = %v, want %v", err, errBody)
		}
		took(ctx, t, began, time.Second)
		if slow.Done() {
			t.Error("the slow task has ended")
		}
		slow.Cancel(nil)
		if _, err := await.All(ctx, slow); !errors.Is(err, context.Canceled) || task.Check(ctx) != nil {
			t.Errorf("All = %v, want the cancel of the task", err)
		}
	})
}

// An error that All did not wait for fails the scope.
func TestSecondErrorFailsTheScope(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		second := errors.New("the second")
		err := task.Scope(ctx, func(ctx context.Context) error {
			_, err := await.All(ctx, after(ctx, 1, 0, errBody), after(ctx, 2, 0, second))
			if err != errBody {
				t.Errorf("All = %v, want %v", err, errBody)
			}
			return await.Sleep(ctx, time.Second)
		})
		if err != second {
			t.Errorf("Scope = %v, want %v", err, second)
		}
	})
}

// A cancel of ctx ends only the wait, not the tasks.
func TestCancelEndsOnlyTheWaitOfAll(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		slow := after(ctx, time.Minute, 1, nil)
		err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
			_, err := await.All(ctx, slow, slow)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || slow.Done() {
			t.Errorf("All = %v, the task has ended: %v", err, slow.Done())
		}
		got, err := await.All(ctx, slow)
		check(t, "All", err)
		if !slices.Equal(got, []int{1}) {
			t.Errorf("All = %v", got)
		}
	})
}

// Reports list the tasks for which All still waits.
func TestReportsListTheTasksOfAll(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		quick, slow := after(ctx, time.Second, 1, nil), after(ctx, time.Hour, 1, nil)
		waiting := task.Go(ctx, func(ctx context.Context) error {
			_, err := await.All(ctx, quick, slow)
			return err
		})
		check(t, "Sleep", await.Sleep(ctx, time.Minute))
		if w, ok := waiting.Waiting(); !ok || !slices.Equal(w.On, []string{slow.Ref.String()}) {
			t.Errorf("the wait is reported as %v", w)
		}
		slow.Cancel(nil)
		waiting.Cancel(nil)
	})
}

// A task cannot wait for itself or for a task of another loop.
func TestAllOfWrongTasksPanics(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var self *task.Task[int]
		self = task.Start(ctx, func(ctx context.Context) (int, error) {
			panics(t, func() { await.All(ctx, self) }, "itself")
			return 0, nil
		})
		_, err := self.Await(ctx)
		check(t, "Await", err)
	})
	var foreign *task.Task[int]
	err := task.Run(context.Background(), func(ctx context.Context) error {
		foreign = after(ctx, 0, 1, nil)
		return nil
	})
	check(t, "Run", err)
	err = task.Run(context.Background(), func(ctx context.Context) error {
		panics(t, func() { await.All(ctx, foreign) }, foreign.Loop().String(), task.Loop(ctx).String())
		panics(t, func() {
			for range await.Each(ctx, foreign) {
				t.Error("the range ran a step")
			}
		}, foreign.Loop().String(), task.Loop(ctx).String())
		return nil
	})
	check(t, "Run", err)
}

// A call that panics leaves no callback behind. Otherwise the error of failing would count
// as awaited, and the scope would wait for its slowest task.
func TestPanicInAllLeavesNoCallback(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		var self *task.Task[int]
		self = task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, task.Scope(ctx, func(ctx context.Context) error {
				failing := after(ctx, time.Second, 0, errBody)
				after(ctx, time.Hour, 0, nil)
				panics(t, func() { await.All(ctx, failing, self) }, "itself")
				return nil
			})
		})
		if _, err := self.Await(ctx); err != errBody {
			t.Errorf("Scope = %v, want %v", err, errBody)
		}
		took(ctx, t, began, time.Second)
	})
}

// Each returns tasks in the order of their ends, even with equal deadlines or a slow
// reader.
func TestEachReturnsTasksInOrderOfEnds(t *testing.T) {
	for _, pause := range []time.Duration{-1, 0, time.Second, time.Hour} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			var ended, seen []int
			var tasks []*task.Task[int]
			for i, d := range task.Loop(ctx).Rand().Perm(20) {
				tasks = append(tasks, task.Start(ctx, func(ctx context.Context) (int, error) {
					err := await.Sleep(ctx, time.Duration(d/4+1)*time.Second)
					ended = append(ended, i)
					return i, err
				}))
			}
			for tk, err := range await.Each(ctx, tasks...) {
				check(t, "Each", err)
				v, err := tk.Result()
				check(t, "Result", err)
				seen = append(seen, v)
				if pause >= 0 {
					check(t, "Sleep", await.Sleep(ctx, pause))
				}
			}
			if !slices.Equal(seen, ended) {
				t.Errorf("seen %v, ended %v", seen, ended)
			}
		})
	}
}

// Leaving the range does not cancel the tasks. A cancel ends the range after one step with
// the error.
func TestLeavingEachLeavesTheTasks(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		tasks := []*task.Task[int]{
			after(ctx, time.Hour, 0, nil), after(ctx, time.Second, 1, errBody), after(ctx, time.Minute, 2, nil),
		}
		for tk, err := range await.Each(ctx, tasks...) {
			check(t, "Each", err)
			if v, err := tk.Result(); tk != tasks[1] || err != errBody {
				t.Errorf("the first step returned %v, with %d, %v", &tk.Ref, v, err)
			}
			break
		}
		err := await.Timeout(ctx, 2*time.Minute, func(ctx context.Context) error {
			steps := 0
			for tk, err := range await.Each(ctx, tasks...) {
				if steps++; err != nil {
					if tk != nil || steps != 3 {
						t.Errorf("step %d with %v", steps, err)
					}
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || tasks[0].Done() {
			t.Errorf("range = %v, the slow task has ended: %v", err, tasks[0].Done())
		}
		tasks[0].Cancel(nil)
	})
}

// Without tasks the range has no step. A task that occurs twice has two steps in a row.
func TestEachOfDuplicateTasks(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for tk, err := range await.Each[int](ctx) {
			t.Errorf("a step with %v, %v", tk, err)
		}
		a, b := after(ctx, time.Second, 1, nil), after(ctx, time.Minute, 2, nil)
		var seen []int
		for tk, err := range await.Each(ctx, a, b, a) {
			check(t, "Each", err)
			v, err := tk.Result()
			check(t, "Result", err)
			seen = append(seen, v)
		}
		if !slices.Equal(seen, []int{1, 1, 2}) {
			t.Errorf("seen %v", seen)
		}
	})
}

// A wait that has ended leaves no callback behind. Otherwise the error of failing, two
// seconds from the start, would count as awaited, and the scope would wait for its slowest
// task.
func TestEndedWaitLeavesNoCallback(t *testing.T) {
	cases := map[string]func(ctx context.Context, quick, failing *task.Task[int]) error{
		"All fails": func(ctx context.Context, quick, failing *task.Task[int]) error {
			_, err := await.All(ctx, after(ctx, time.Second, 0, errors.New("the first")), failing)
			return err
		},
		"All is cancelled": func(ctx context.Context, quick, failing *task.Task[int]) error {
			return await.Timeout(ctx, time.Second, func(ctx context.Context) error {
				_, err := await.All(ctx, quick, failing)
				return err
			})
		},
		"Each is left": func(ctx context.Context, quick, failing *task.Task[int]) error {
			for _, err := range await.Each(ctx, quick, failing) {
				return err
			}
			return nil
		},
		"Each is cancelled": func(ctx context.Context, quick, failing *task.Task[int]) error {
			return await.Timeout(ctx, time.Second, func(ctx context.Context) error {
				for _, err := range await.Each(ctx, failing, failing) {
					return err
				}
				return nil
			})
		},
	}
	for name, leave := range cases {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				began := task.Now(ctx)
				err := task.Scope(ctx, func(ctx context.Context) error {
					after(ctx, time.Hour, 0, nil)
					leave(ctx, after(ctx, time.Second, 0, nil), after(ctx, 2*time.Second, 0, errBody))
					return nil
				})
				if err != errBody {
					t.Errorf("Scope = %v, want %v", err, errBody)
				}
				took(ctx, t, began, 2*time.Second)
			})
		})
	}
}

// The error of a task that ends together with a wait for it is not lost: either the wait
// returns the error, or it fails the scope.
func TestErrorAtTheEndOfAWait(t *testing.T) {
	waits := map[string]func(ctx context.Context, tasks ...*task.Task[int]) error{
		"All": func(ctx context.Context, tasks ...*task.Task[int]) error {
			_, err := await.All(ctx, tasks...)
			return err
		},
		"the first of Each": func(ctx context.Context, tasks ...*task.Task[int]) error {
			for tk, err := range await.Each(ctx, tasks...) {
				if err == nil {
					_, err = tk.Result()
				}
				return err
			}
			return nil
		},
		"Each": func(ctx context.Context, tasks ...*task.Task[int]) error {
			var errs []error
			for tk, err := range await.Each(ctx, tasks...) {
				if err == nil {
					_, err = tk.Result()
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	errOther := errors.New("other")
	for name, wait := range waits {
		for _, cancel := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cancelled: %v", name, cancel), func(t *testing.T) {
				for seed := range uint64(20) {
					sim.Config{Seed: seed + 1}.Test(t, func(ctx context.Context, t *testing.T) {
						err := task.Scope(ctx, func(ctx context.Context) error {
							a, b := after(ctx, time.Second, 0, errBody), after(ctx, time.Second, 0, errOther)
							waiter := task.Go(ctx, func(ctx context.Context) error { return wait(ctx, a, b) })
							if cancel {
								after(ctx, time.Second, 0, nil).AddDoneCallback(func(*task.Ref) { waiter.Cancel(nil) })
							}
							return await.Sleep(ctx, time.Duration(seed%2)*time.Minute)
						})
						if !errors.Is(err, errBody) || !errors.Is(err, errOther) {
							t.Errorf("Scope = %v, want %v and %v", err, errBody, errOther)
						}
					})
				}
			})
		}
	}
}

// Only the task that called Each may use the range.
func TestRangeOfAnotherTask(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		mine := await.Each(ctx, after(ctx, 0, 1, nil))
		task.Go(ctx, func(ctx context.Context) error {
			panics(t, func() {
				for range mine {
					t.Error("the range of another task runs")
				}
			}, task.Self(ctx).String())
			return nil
		})
	})
}
