// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"baton/task"
)

var errOther = errors.New("other")

// fails returns the function of a task that switches n times and fails.
func fails(n int, err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		turns(ctx, n)
		return err
	}
}

// What a scope returns. Each row is the function of a scope, which runs inside another
// scope. The outer scope must not be affected.
func TestErrorsOfScope(t *testing.T) {
	tests := []struct {
		name string
		fn   func(ctx context.Context) error
		want []error // exactly these errors; the first is the first failure
	}{
		{"no failure", func(ctx context.Context) error {
			task.Go(ctx, fails(2, nil))
			return nil
		}, nil},
		{"a child is cancelled", func(ctx context.Context) error {
			r := task.Go(ctx, forever)
			turns(ctx, 2)
			r.Cancel(errOops)
			return turns(ctx, 3)
		}, nil},
		{"a cancelled child returns the sentinel", func(ctx context.Context) error {
			r := task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return ctx.Err()
			})
			turns(ctx, 2)
			r.Cancel(nil)
			return turns(ctx, 3)
		}, nil},
		{"a cancelled child returns the cause", func(ctx context.Context) error {
			r := task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return fmt.Errorf("child: %w", context.Cause(ctx)) // as net/http does
			})
			turns(ctx, 2)
			r.Cancel(errOops)
			return turns(ctx, 3)
		}, nil},
		{"a cancelled child fails", func(ctx context.Context) error {
			r := task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return errOops
			})
			turns(ctx, 2)
			r.Cancel(nil)
			return forever(ctx)
		}, []error{errOops}},
		{"a cancelled child with its own children", func(ctx context.Context) error {
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
		{"a child fails", func(ctx context.Context) error {
			task.Go(ctx, forever)
			task.Go(ctx, fails(1, errOops))
			return forever(ctx)
		}, []error{errOops}},
		{"the function fails, and a child fails in its cleanup", func(ctx context.Context) error {
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
		{"the cancel, wrapped", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return fmt.Errorf("child: %w", forever(ctx)) })
			turns(ctx, 1)
			return errOops
		}, []error{errOops}},
		{"the cancel, joined with a failure", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return errors.Join(forever(ctx), errOther) })
			turns(ctx, 1)
			return errOops
		}, []error{errOops, errOther}},
		{"the cancel, as the bare sentinel", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return ctx.Err()
			})
			turns(ctx, 1)
			return errOops
		}, []error{errOops}},
		{"the cancel, as its cause", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return fmt.Errorf("child: %w", context.Cause(ctx))
			})
			turns(ctx, 1)
			return errOops
		}, []error{errOops}},
		{"the cancel, as its cause, joined with a failure", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return errors.Join(context.Cause(ctx), errOther)
			})
			turns(ctx, 1)
			return errOops
		}, []error{errOops, errOther}},
		{"the error is the cause of a later cancel", func(ctx context.Context) error {
			r := task.Go(ctx, fails(0, errOops))
			turns(ctx, 2)
			r.Cancel(errOops) // r has ended
			return nil
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
		{"an inner scope fails", func(ctx context.Context) error {
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
		{"an awaited child exits", func(ctx context.Context) error {
			task.Start(ctx, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }).Await(ctx)
			return nil
		}, []error{task.ErrGoexit}},
		{"the failure of an unawaited task", func(ctx context.Context) error {
			task.Start(ctx, func(context.Context) (int, error) { return 0, errOops })
			return turns(ctx, 3) // the scope is not cancelled yet
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
		{"a task that its sibling awaits when the starter returns", func(ctx context.Context) error {
			tk := task.Start(ctx, func(ctx context.Context) (int, error) { turns(ctx, 4); return 0, errOops })
			task.Go(ctx, func(ctx context.Context) error {
				tk.Await(ctx)
				return nil
			})
			return turns(ctx, 2)
		}, nil},
		{"a task that its sibling awaits too late", func(ctx context.Context) error {
			tk := task.Start(ctx, oops)
			task.Go(ctx, func(ctx context.Context) error {
				turns(ctx, 4)
				tk.Await(ctx)
				return nil
			})
			return turns(ctx, 2)
		}, []error{errOops}},
		{"a task is awaited by a sibling, after it has failed and the function returned", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				tk := task.Start(ctx, oops)
				if err := turns(ctx, 5); err != nil {
					return err
				}
				if _, err := tk.Await(ctx); err != errOops {
					return errOther
				}
				return nil
			})
			return nil
		}, nil},
		{"a task is awaited by a sibling, after it has failed and before the function returned", func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				tk := task.Start(ctx, oops)
				if err := turns(ctx, 7); err != nil {
					return err
				}
				tk.Await(ctx)
				return nil
			})
			return turns(ctx, 4)
		}, nil},
		{"a task that its starter does not await", func(ctx context.Context) error {
			task.Go(ctx, forever)
			task.Go(ctx, func(ctx context.Context) error {
				task.Start(ctx, oops)
				return turns(ctx, 3)
			})
			return nil
		}, []error{errOops}},
		{"a task that fails after the end of its starter", func(ctx context.Context) error {
			task.Go(ctx, forever)
			task.Go(ctx, func(ctx context.Context) error {
				task.Start(ctx, func(ctx context.Context) (int, error) { turns(ctx, 3); return 0, errOops })
				return nil
			})
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
						t.Errorf("Scope = %v, which does not contain %v", err, want)
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
					t.Errorf("the tasks %v have not ended", all)
				}
				return turns(ctx, 2) // the cancel stays inside the scope
			})
		})
	}
}

// oops is a function for Start that fails at once.
func oops(context.Context) (int, error) { return 0, errOops }

type uncomparable []int

func (uncomparable) Error() string { return "uncomparable" }

// A failure cancels the scope, with the failure as the cause. errors.Is also finds the
// sentinel.
func TestFailureIsCauseOfCancel(t *testing.T) {
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
