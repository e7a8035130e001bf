// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"

	"baton/task"
)

var errOther = errors.New("other")

// fails is the function of a task that switches n times and fails.
func fails(n int, err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		turns(ctx, n)
		return err
	}
}

// Behaviours 171 to 179: what a scope returns. Each row is the function of a
// scope; it runs inside another one, which must stay as it is.
func TestScopeErrors(t *testing.T) {
	tests := []struct {
		name string
		fn   func(ctx context.Context) error
		want []error // all of them, and nothing else: the first is the first failure
	}{
		{"171 nothing", func(ctx context.Context) error {
			task.Go(ctx, fails(2, nil))
			return nil
		}, nil},
		{"172 a child is cancelled", func(ctx context.Context) error {
			r := task.Go(ctx, forever)
			turns(ctx, 2)
			r.Cancel(errOops)
			return turns(ctx, 3)
		}, nil},
		{"172 a cancelled child returns the sentinel", func(ctx context.Context) error {
			r := task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return ctx.Err()
			})
			turns(ctx, 2)
			r.Cancel(nil)
			return turns(ctx, 3)
		}, nil},
		{"172 a cancelled child fails", func(ctx context.Context) error {
			r := task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return errOops
			})
			turns(ctx, 2)
			r.Cancel(nil)
			return forever(ctx)
		}, []error{errOops}},
		{"172 a cancelled child takes its own with it", func(ctx context.Context) error {
			r := task.Go(ctx, func(ctx context.Context) error {
				task.Go(ctx, forever)
				task.Go(ctx, func(ctx context.Context) error {
					forever(ctx)
					return ctx.Err()
				})
				return forever(ctx)
			})
			turns(ctx, 3)
			r.Cancel(errOops)
			return turns(ctx, 3)
		}, nil},
		{"173 a child fails", func(ctx context.Context) error {
			task.Go(ctx, forever)
			task.Go(ctx, fails(1, errOops))
			return forever(ctx)
		}, []error{errOops}},
		{"174 the body fails, and a child in its cleanup", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return errOther
			})
			turns(ctx, 1)
			return errOops
		}, []error{errOops, errOther}},
		{"the same error twice is one", func(ctx context.Context) error {
			task.Go(ctx, fails(0, errOops))
			task.Go(ctx, fails(0, errOops))
			return nil
		}, []error{errOops}},
		{"several failures", func(ctx context.Context) error {
			task.Go(ctx, fails(0, errOops))
			task.Go(ctx, fails(0, errOther))
			task.Go(ctx, fails(0, io.EOF))
			return nil
		}, []error{errOops, errOther, io.EOF}},
		{"an echo, wrapped", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return fmt.Errorf("child: %w", forever(ctx)) })
			turns(ctx, 1)
			return errOops
		}, []error{errOops}},
		{"an echo, joined with a failure", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return errors.Join(forever(ctx), errOther) })
			turns(ctx, 1)
			return errOops
		}, []error{errOops, errOther}},
		{"an echo, as the bare sentinel", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return ctx.Err()
			})
			turns(ctx, 1)
			return errOops
		}, []error{errOops}},
		{"the bare sentinel without a cancel is a failure", func(ctx context.Context) error {
			task.Go(ctx, fails(0, context.Canceled))
			return nil
		}, []error{context.Canceled}},
		{"errors that cannot be compared", func(ctx context.Context) error {
			task.Go(ctx, fails(0, uncomparable{1}))
			task.Go(ctx, fails(0, fmt.Errorf("%w", errOops)))
			return nil
		}, []error{errOops}},
		{"177 an inner scope fails", func(ctx context.Context) error {
			task.Go(ctx, forever)
			return task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, fails(1, errOops))
				return forever(ctx)
			})
		}, []error{errOops}},
		{"an inner failure is dropped", func(ctx context.Context) error {
			r := task.Go(ctx, func(ctx context.Context) error { return turns(ctx, 5) })
			task.Scope(ctx, fails(1, errOops))
			if err := turns(ctx, 1); err != nil {
				return err
			}
			if r.Done() {
				return errOther
			}
			return nil
		}, nil},
		{"a child exits", func(ctx context.Context) error {
			task.Go(ctx, func(context.Context) error { runtime.Goexit(); return nil })
			return forever(ctx)
		}, []error{task.ErrGoexit}},
		{"the failure of an unawaited task", func(ctx context.Context) error {
			task.Start(ctx, func(context.Context) (int, error) { return 0, errOops })
			return turns(ctx, 3) // not cancelled meanwhile
		}, []error{errOops}},
		{"the failure of an awaited task", func(ctx context.Context) error {
			tk := task.Start(ctx, func(context.Context) (int, error) { return 0, errOops })
			tk.Await(ctx)
			return nil
		}, nil},
		{"the failure of a task whose result was taken", func(ctx context.Context) error {
			tk := task.Start(ctx, func(context.Context) (int, error) { return 0, errOops })
			turns(ctx, 2)
			tk.Result()
			return nil
		}, nil},
		{"an unawaited task fails after the function", func(ctx context.Context) error {
			task.Start(ctx, func(ctx context.Context) (int, error) { return 0, turns(ctx, 2) })
			task.Start(ctx, func(ctx context.Context) (int, error) { turns(ctx, 3); return 0, errOops })
			return nil
		}, []error{errOops}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				err := task.Scope(ctx, test.fn)
				if (err == nil) != (test.want == nil) {
					t.Errorf("Scope = %v, want %v", err, test.want)
				}
				for _, want := range test.want {
					if !errors.Is(err, want) {
						t.Errorf("Scope = %v, which is not %v", err, want)
					}
				}
				if len(test.want) == 1 && err != test.want[0] && test.name != "errors that cannot be compared" {
					t.Errorf("Scope = %v, want %v alone", err, test.want[0])
				}
				if joined, ok := err.(interface{ Unwrap() []error }); ok && joined.Unwrap()[0] != test.want[0] &&
					test.name != "errors that cannot be compared" {
					t.Errorf("the first failure is %v, want %v", joined.Unwrap()[0], test.want[0])
				}
				if all := task.Tasks(ctx); len(all) != 1 {
					t.Errorf("%v still live", all)
				}
				return turns(ctx, 2) // behaviour 184: the cancel stays inside
			})
		})
	}
}

type uncomparable []int

func (uncomparable) Error() string { return "uncomparable" }

// Behaviour 171, 182: tasks may start while the scope waits for its tasks, also
// cancelled ones; they are awaited like all others and begin all the same.
func TestScopeLateTasks(t *testing.T) {
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

// A failure cancels a scope with itself as the cause, and errors.Is sees the
// sentinel besides.
func TestScopeCause(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, fails(1, errOops))
			err := forever(ctx)
			var c *task.Canceled
			if !errors.As(err, &c) || c.Cause != errOops || c.Scope == nil {
				t.Errorf("err = %#v", err)
			}
			if !errors.Is(err, context.Canceled) || !errors.Is(err, errOops) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("err = %v", err)
			}
			if ctx.Err() != context.Canceled || context.Cause(ctx) != errOops {
				t.Errorf("Err = %v, Cause = %v", ctx.Err(), context.Cause(ctx))
			}
			return err
		})
		return nil
	})
}

// Behaviour 176, 177: the parent is cancelled while an inner scope runs.
func TestScopeCancelledFromOutside(t *testing.T) {
	for name, ret := range map[string]func(err error) error{
		"echo":    func(err error) error { return err },
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
				} else if outer != errOops || (name == "echo") != errors.Is(inner, errOops) {
					t.Errorf("inner = %v, outer = %v", inner, outer)
				}
				return nil
			})
		})
	}
}

// A scope's context ends with it, like that of an errgroup.
func TestScopeContextEnds(t *testing.T) {
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
				t.Errorf("%s: a park under it = %v", name, err)
			}
		}
		return task.Check(ctx)
	})
}

func TestScopeRef(t *testing.T) {
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
			if !slices.Equal(s.Tasks(), refs) {
				t.Errorf("Tasks = %v, want %v", s.Tasks(), refs)
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
		if len(s.Tasks()) != 0 {
			t.Errorf("Tasks of a scope that has ended = %v", s.Tasks())
		}
		return turns(ctx, 2)
	})
}

// Behaviour 183: a long-lived scope does not grow with the tasks that have ended.
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

// A panic in a scope's function passes on after the tasks have ended.
func TestScopePanics(t *testing.T) {
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

func ExampleScope() {
	task.Run(context.Background(), func(ctx context.Context) error {
		err := task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return errors.New("no coffee") })
			task.Go(ctx, func(ctx context.Context) error {
				err := forever(ctx)
				fmt.Println(errors.Is(err, context.Canceled), context.Cause(ctx))
				return err
			})
			return nil
		})
		fmt.Println(err)
		return nil
	})
	// Output:
	// true no coffee
	// no coffee
}

// A handler starts work that outlives it.
func ExampleScopeOf() {
	task.Run(context.Background(), func(ctx context.Context) error {
		background := task.ScopeOf(ctx)
		return task.Scope(ctx, func(ctx context.Context) error {
			background.Go(func(ctx context.Context) error {
				err := task.Yield(ctx)
				fmt.Println("background:", err)
				return err
			})
			fmt.Println("handled")
			return nil
		})
	})
	// Output:
	// handled
	// background: <nil>
}
