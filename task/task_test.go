// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"baton/task"
)

var errOops = errors.New("oops")

// Tasks begin in the next turn, in the order of their creation. Awaiting an ended task does
// not switch.
func TestTasksBeginInOrder(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var order []int
		var tasks []*task.Task[int]
		for i := range 5 {
			tasks = append(tasks, task.Start(ctx, func(context.Context) (int, error) {
				order = append(order, i)
				return i * i, nil
			}))
		}
		if len(order) != 0 {
			t.Errorf("%v began before a switch", order)
		}
		if err := task.Yield(ctx); err != nil {
			return err
		}
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(order, want) {
			t.Errorf("order = %v, want %v", order, want)
		}
		switched := false
		task.Go(ctx, func(context.Context) error { switched = true; return nil })
		for i, tk := range tasks {
			for range 2 {
				if v, err := tk.Await(ctx); v != i*i || err != nil {
					t.Errorf("Await = %v, %v, want %d", v, err, i*i)
				}
			}
		}
		if switched {
			t.Error("Await of a task that is done switched")
		}
		return nil
	})
}

// Every task that awaits a task receives its result, any number of times.
func TestResultOfTask(t *testing.T) {
	tests := []struct {
		name string
		fn   func(ctx context.Context) (int, error)
		want error
	}{
		{"returns", func(context.Context) (int, error) { return 7, nil }, nil},
		{"fails", func(context.Context) (int, error) { return 7, errOops }, errOops},
		{"is cancelled", func(ctx context.Context) (int, error) { return 7, forever(ctx) }, context.Canceled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				tk := task.Start(ctx, test.fn)
				if _, err := tk.Result(); err != task.ErrNotDone {
					t.Errorf("Result before the end = %v", err)
				}
				for range 3 {
					task.Go(ctx, func(ctx context.Context) error {
						if _, err := tk.Await(ctx); !errors.Is(err, test.want) {
							t.Errorf("Await = %v, want %v", err, test.want)
						}
						return nil
					})
				}
				turns(ctx, 2)
				tk.Cancel(nil)
				if _, err := tk.Await(ctx); !errors.Is(err, test.want) {
					t.Errorf("Await = %v, want %v", err, test.want)
				}
				v, err := tk.Result()
				if !errors.Is(err, test.want) || err == nil && v != 7 {
					t.Errorf("Result = %v, %v, want %v", v, err, test.want)
				}
				if tk.State() != task.Done || !tk.Done() || tk.Cancel(nil) {
					t.Errorf("state %v, done %v", tk.State(), tk.Done())
				}
				return nil
			})
		})
	}
}

// Await returns a value together with an error, like Go functions do.
func TestAwaitReturnsValueAndError(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		tk := task.Start(ctx, func(context.Context) (int, error) { return 3, errOops })
		if v, err := tk.Await(ctx); v != 3 || err != errOops {
			t.Errorf("Await = %v, %v", v, err)
		}
		return nil
	})
}

// A cancelled Await does not cancel the awaited task.
func TestCancelOfAwait(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var gate task.Future[int]
		tk := task.Start(ctx, func(ctx context.Context) (int, error) { return gate.Await(ctx) })
		waiter := task.Start(ctx, func(ctx context.Context) (int, error) { return tk.Await(ctx) })
		turns(ctx, 2)
		waiter.Cancel(errOops)
		if _, err := waiter.Await(ctx); !errors.Is(err, errOops) || !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled Await = %v", err)
		}
		gate.Set(4)
		if v, err := tk.Await(ctx); v != 4 || err != nil {
			t.Errorf("Await = %v, %v, want 4", v, err)
		}
		return nil
	})
}

// Done callbacks run later, in order, with the baton.
func TestDoneCallbacksRunInOrder(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var order []int
		tk := task.Start(ctx, func(context.Context) (int, error) { return 0, nil })
		tk.AddDoneCallback(func(r *task.Ref) {
			if r != &tk.Ref || !r.Done() || !r.Loop().Held() {
				t.Errorf("callback of %v, done %v", r, r.Done())
			}
			order = append(order, 1)
		})
		remove := tk.AddDoneCallback(func(*task.Ref) { order = append(order, 2) })
		tk.AddDoneCallback(func(*task.Ref) { order = append(order, 3) })
		if !remove() || remove() {
			t.Error("remove must return true and then false")
		}
		tk.Await(ctx)
		turns(ctx, 2)
		late := tk.AddDoneCallback(func(*task.Ref) { order = append(order, 4) })
		if len(order) != 2 {
			t.Errorf("a callback added late ran at once: %v", order)
		}
		turns(ctx, 2)
		if want := []int{1, 3, 4}; !slices.Equal(order, want) {
			t.Errorf("order = %v, want %v", order, want)
		}
		if late() {
			t.Error("remove of a callback that has run = true")
		}
		return nil
	})
}

// Self returns the calling task after every switch, and Tasks returns the tasks that have
// not ended.
func TestSelfAndTasks(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		main := task.Self(ctx)
		if main.ID() != 1 || main.State() != task.Running || main.Loop() != task.Loop(ctx) {
			t.Errorf("main is %v, %v", main, main.State())
		}
		var refs []*task.Ref
		for range 3 {
			var r *task.Ref
			r = task.Go(ctx, func(ctx context.Context) error {
				for range 3 {
					if task.Self(ctx) != r {
						t.Errorf("Self = %v in %v", task.Self(ctx), r)
					}
					task.Yield(ctx)
				}
				return nil
			})
			if r.State() != task.Ready {
				t.Errorf("a new task is %v", r.State())
			}
			refs = append(refs, r)
		}
		turns(ctx, 2)
		if want := append([]*task.Ref{main}, refs...); !slices.Equal(task.Tasks(ctx), want) {
			t.Errorf("Tasks = %v, want %v", task.Tasks(ctx), want)
		}
		turns(ctx, 5)
		if all := task.Tasks(ctx); len(all) != 1 || all[0] != main {
			t.Errorf("Tasks = %v, want only main", all)
		}
		return nil
	})
}

// The end of a task does not end the tasks that it has started: they belong to the scope.
func TestChildOutlivesItsStarter(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		type key struct{}
		reached := 0
		var chain func(ctx context.Context, depth int) error
		chain = func(ctx context.Context, depth int) error {
			if ctx.Value(key{}) != "kept" {
				t.Errorf("the value is lost at depth %d", depth)
			}
			if depth < 10 {
				task.Go(ctx, func(ctx context.Context) error { return chain(ctx, depth+1) })
				return nil
			}
			if err := turns(ctx, 20); err != nil {
				return err
			}
			reached++
			if all := task.Tasks(ctx); len(all) != 2 {
				t.Errorf("Tasks = %v, want main and the last of the chain", all)
			}
			return nil
		}
		err := task.Scope(ctx, func(ctx context.Context) error {
			ctx = context.WithValue(ctx, key{}, "kept")
			task.Go(ctx, func(ctx context.Context) error { return chain(ctx, 0) })
			return nil
		})
		if reached != 1 || err != nil {
			t.Errorf("the chain was cut: reached %d, %v", reached, err)
		}
		return nil
	})
}

// A cancel of the scope reaches tasks whose starter has ended.
func TestCancelReachesTasksOfEndedStarter(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		ended := 0
		err := task.Scope(ctx, func(ctx context.Context) error {
			for range 3 {
				task.Go(ctx, func(ctx context.Context) error {
					for range 2 {
						task.Go(ctx, func(ctx context.Context) error {
							defer func() { ended++ }()
							return forever(ctx)
						})
					}
					return nil
				})
			}
			turns(ctx, 4)
			task.ScopeOf(ctx).Cancel(errOops)
			return nil
		})
		if err != errOops || ended != 6 {
			t.Errorf("%d of 6 tasks ended, %v", ended, err)
		}
		return nil
	})
}

// A chain of a thousand tasks that await each other.
func TestLongChainOfAwaits(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var deep func(ctx context.Context, n int) (int, error)
		deep = func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				return 0, nil
			}
			v, err := task.Start(ctx, func(ctx context.Context) (int, error) { return deep(ctx, n-1) }).Await(ctx)
			return v + 1, err
		}
		if v, err := deep(ctx, 1000); v != 1000 || err != nil {
			t.Errorf("deep = %v, %v", v, err)
		}
		return nil
	})
}

func TestTenThousandTasks(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		ended := 0
		err := r.Run(context.Background(), func(ctx context.Context) error {
			for range 10_000 {
				task.Go(ctx, func(ctx context.Context) error {
					err := turns(ctx, 2)
					ended++
					return err
				})
			}
			return nil
		})
		if ended != 10_000 || err != nil {
			t.Errorf("%d tasks ended, %v", ended, err)
		}
	})
}

func TestTaskNames(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		r := task.Go(ctx, forever)
		if want := "task 2 (task_test.forever)"; r.String() != want {
			t.Errorf("String = %q, want %q", r, want)
		}
		r.SetName("the patient one")
		if want := "task 2 (the patient one)"; r.String() != want {
			t.Errorf("String = %q, want %q", r, want)
		}
		r.Cancel(nil)
		return nil
	})
}
