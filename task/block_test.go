// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// A task that is started inside a timeout block belongs to the scope around the block, and
// is cancelled when the block ends. Returning that cancel does not fail the scope. A real
// failure fails the scope, and so does the task's own deadline.
func TestCancelOfBlockDoesNotFailScope(t *testing.T) {
	const limit = time.Second
	returns := map[string]func(ctx context.Context, err error) error{
		"the cancel":          func(_ context.Context, err error) error { return err },
		"the cancel, wrapped": func(_ context.Context, err error) error { return fmt.Errorf("child: %w", err) },
		"the sentinel":        func(ctx context.Context, _ error) error { return ctx.Err() },
		"both":                func(ctx context.Context, err error) error { return errors.Join(ctx.Err(), err) },
		"a failure":           func(context.Context, error) error { return errOops },
		"cancel and failure":  func(ctx context.Context, err error) error { return errors.Join(err, errOops, ctx.Err()) },
		"its own deadline": func(ctx context.Context, _ error) error {
			shielded, release := task.Shield(ctx, -1)
			defer release()
			_, _, err := within(shielded, limit, forever)
			return err
		},
	}
	wants := map[string]error{
		"a failure": errOops, "cancel and failure": errOops, "its own deadline": context.DeadlineExceeded,
	}
	for ending, takes := range map[string]time.Duration{"deadline": time.Hour, "end": limit / 2} {
		for name, ret := range returns {
			t.Run(ending+", "+name, func(t *testing.T) {
				mustRun(t, func(ctx context.Context) error {
					err := task.Scope(ctx, func(ctx context.Context) error {
						_, own, _ := within(ctx, limit, func(ctx context.Context) error {
							task.Go(ctx, func(ctx context.Context) error { return ret(ctx, forever(ctx)) })
							return sleep(ctx, takes)
						})
						if own != (ending == "deadline") {
							t.Errorf("the block expired: %v, want %v", own, ending == "deadline")
						}
						return sleep(ctx, time.Minute)
					})
					if want := wants[name]; !errors.Is(err, want) || want == nil && err != nil {
						t.Errorf("Scope = %v, want %v", err, want)
					}
					return nil
				})
			})
		}
	}
}

// standardBlocks are contexts of the standard library that end in different ways.
var standardBlocks = map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
	"plain": func(ctx context.Context) (context.Context, context.CancelFunc) {
		derived, cancel := context.WithCancel(ctx)
		task.Loop(ctx).CallLater(time.Second, cancel)
		return derived, cancel
	},
	"cause": func(ctx context.Context) (context.Context, context.CancelFunc) {
		derived, cancel := context.WithCancelCause(ctx)
		task.Loop(ctx).CallLater(time.Second, func() { cancel(errOops) })
		return derived, func() { cancel(nil) }
	},
	"timeout": func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeoutCause(ctx, time.Second, errOops)
	},
	"before": func(ctx context.Context) (context.Context, context.CancelFunc) {
		derived, cancel := context.WithCancelCause(ctx)
		cancel(errOops)
		return derived, func() {}
	},
	"around a block": func(ctx context.Context) (context.Context, context.CancelFunc) {
		derived, cancel := context.WithCancelCause(ctx)
		task.Loop(ctx).CallLater(time.Second, func() { cancel(errOops) })
		return await.WithDeadline(derived, task.Now(ctx).Add(time.Hour))
	},
}

// If a task is started under a standard context, the cancel of that context acts like the
// end of a timeout block. The task may return the cancel in any form. The scope does not
// fail, and its other tasks go on. If the standard context is around the scope, Scope
// returns the cancel.
func TestCancelOfStandardContextDoesNotFailScope(t *testing.T) {
	returns := map[string]func(ctx context.Context, err error) error{
		"the cancel":         func(_ context.Context, err error) error { return err },
		"the sentinel":       func(ctx context.Context, _ error) error { return fmt.Errorf("child: %w", ctx.Err()) },
		"both":               func(ctx context.Context, err error) error { return errors.Join(ctx.Err(), err) },
		"cancel and failure": func(ctx context.Context, err error) error { return errors.Join(err, errOther, ctx.Err()) },
		"a new Check":        func(ctx context.Context, _ error) error { return task.Check(ctx) },
	}
	for how, cancel := range standardBlocks {
		for what, ret := range returns {
			t.Run(how+", "+what, func(t *testing.T) {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					child := func(ctx context.Context) error { return ret(ctx, forever(ctx)) }
					alive := false
					err := task.Scope(ctx, func(ctx context.Context) error {
						derived, release := cancel(ctx)
						defer release()
						task.Go(derived, child)
						err := sleep(ctx, time.Minute)
						alive = err == nil
						return err
					})
					if fails := what == "cancel and failure"; alive == fails || fails != errors.Is(err, errOther) || !fails && err != nil {
						t.Errorf("inside: Scope = %v, its function went on: %v", err, alive)
					}
					derived, release := cancel(ctx)
					defer release()
					err = task.Scope(derived, func(ctx context.Context) error {
						task.Go(ctx, child)
						return nil
					})
					if err == nil {
						t.Errorf("around: Scope = %v, want the cancel", err)
					}
				})
			})
		}
	}
}

// If several nested blocks have ended one after another, the task may return the cancel of
// any of them.
func TestCancelOfNestedBlocks(t *testing.T) {
	for which := range 4 {
		mustRun(t, func(ctx context.Context) error {
			// child collects the cancels of four checks and returns number which.
			child := func(ctx context.Context) (err error) {
				forever(ctx)
				for i := range 4 {
					if i == which {
						err = task.Check(ctx)
					}
					shielded, release := task.Shield(ctx, -1)
					sleep(shielded, time.Second)
					release()
				}
				return err
			}
			err := task.Scope(ctx, func(ctx context.Context) error {
				var nest func(ctx context.Context, d time.Duration) error
				nest = func(ctx context.Context, d time.Duration) error {
					_, _, err := within(ctx, d, func(ctx context.Context) error {
						if d > time.Second {
							return nest(ctx, d-time.Second)
						}
						task.Go(ctx, child)
						shielded, release := task.Shield(ctx, -1)
						defer release()
						return sleep(shielded, 5500*time.Millisecond)
					})
					return err
				}
				nest(ctx, 4500*time.Millisecond)
				return sleep(ctx, time.Minute)
			})
			if err != nil {
				t.Errorf("the cancel of block %d: Scope = %v, want nil", which, err)
			}
			return nil
		})
	}
}

// A task was cancelled by its block, and the scope fails while the task cleans up.
// Returning the block's cancel still does not count as a failure.
func TestCancelOfBlockWhileScopeFails(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		for _, bare := range []bool{false, true} {
			err := task.Scope(ctx, func(ctx context.Context) error {
				within(ctx, time.Second, func(ctx context.Context) error {
					task.Go(ctx, func(ctx context.Context) error {
						err := forever(ctx)
						shielded, release := task.Shield(ctx, 0)
						defer release()
						sleep(shielded, time.Second)
						if bare {
							return ctx.Err()
						}
						return err
					})
					return forever(ctx)
				})
				return errOops
			})
			if err != errOops {
				t.Errorf("bare %v: Scope = %v, want %v alone", bare, err, errOops)
			}
		}
		return nil
	})
}

// If a task returns a deadline error that it received by awaiting another task, it fails.
func TestDeadlineOfAwaitedTask(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		err := task.Scope(ctx, func(ctx context.Context) error {
			inner := task.Start(ctx, func(ctx context.Context) (int, error) {
				_, _, err := within(ctx, time.Second, forever)
				return 0, err
			})
			task.Go(ctx, func(ctx context.Context) error {
				_, err := inner.Await(ctx)
				return err
			})
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Scope = %v, want deadline exceeded", err)
		}
		return nil
	})
}

// If a deadline is around the whole scope, its cancel passes through the scope to the
// block.
func TestDeadlineAroundScope(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		for _, bare := range []bool{false, true} {
			_, own, err := within(ctx, time.Second, func(ctx context.Context) error {
				return task.Scope(ctx, func(ctx context.Context) error {
					task.Go(ctx, func(ctx context.Context) error {
						if err := forever(ctx); !bare {
							return err
						}
						return ctx.Err()
					})
					return nil
				})
			})
			if !own {
				t.Errorf("bare %v: the block received %v, want its own deadline", bare, err)
			}
		}
		return nil
	})
}

// If a block around the scope ends early, Scope returns the cancel.
func TestEndOfBlockAroundScope(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		limited, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
		task.Go(ctx, func(ctx context.Context) error {
			defer release()
			return turns(ctx, 3)
		})
		err := task.Scope(limited, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				return ctx.Err()
			})
			return nil
		})
		if err != context.Canceled {
			t.Errorf("Scope = %v, want %v", err, context.Canceled)
		}
		return nil
	})
}

// A task that is started under an ended block is cancelled, but it still belongs to the
// scope: it is listed, and a deadlock under its shield is found.
func TestTaskUnderEndedBlock(t *testing.T) {
	var listed int
	var deadlock *task.DeadlockError
	err := inVirtual(t, func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			ended, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
			release()
			task.Go(ended, func(ctx context.Context) error {
				if err := task.Check(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("Check under the ended block = %v, want canceled", err)
				}
				shielded, release := task.Shield(ctx, -1)
				defer release()
				return forever(shielded)
			})
			turns(ctx, 2)
			listed = len(task.ScopeOf(ctx).Tasks())
			return nil
		})
	})
	if listed != 1 || !errors.As(err, &deadlock) || len(deadlock.Waits) != 2 {
		t.Errorf("%d tasks listed, %v", listed, err)
	}
}
