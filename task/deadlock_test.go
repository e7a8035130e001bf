// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"baton/locks"
	"baton/loop"
	"baton/task"
)

// A deadlock ends tasks under shields too, whether the shields are nested or follow each
// other. Run returns one deadlock error.
func TestDeadlockUnderShield(t *testing.T) {
	shielded := func(ctx context.Context, fn func(ctx context.Context) error) error {
		ctx, release := task.Shield(ctx, -1)
		defer release()
		return fn(ctx)
	}
	forms := map[string]func(ctx context.Context) error{
		"one": func(ctx context.Context) error { return shielded(ctx, forever) },
		"nested": func(ctx context.Context) error {
			return shielded(ctx, func(ctx context.Context) error { return shielded(ctx, forever) })
		},
		"several": func(ctx context.Context) error {
			for range 3 {
				task.Go(ctx, func(ctx context.Context) error { return shielded(ctx, forever) })
			}
			return forever(ctx)
		},
		"one after the other": func(ctx context.Context) (err error) {
			for range 10 {
				err = shielded(ctx, forever)
			}
			return err
		},
		"around tasks": func(ctx context.Context) error {
			return shielded(ctx, func(ctx context.Context) error {
				return task.Scope(ctx, func(ctx context.Context) error {
					task.Go(ctx, forever)
					return forever(ctx)
				})
			})
		},
		"on each other": func(ctx context.Context) error {
			var a, b *task.Task[int]
			a = task.Start(ctx, func(ctx context.Context) (v int, _ error) {
				return 0, shielded(ctx, func(ctx context.Context) error { _, err := b.Await(ctx); return err })
			})
			b = task.Start(ctx, func(ctx context.Context) (int, error) {
				return 0, shielded(ctx, func(ctx context.Context) error { _, err := a.Await(ctx); return err })
			})
			_, err := b.Await(ctx)
			return err
		},
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		for name, main := range forms {
			t.Run(name, func(t *testing.T) {
				r.Loop = newVirtual(t)
				err := r.Run(context.Background(), main)
				var c *task.Canceled
				var d *task.DeadlockError
				if !errors.As(err, &c) || !errors.As(err, &d) || err != error(c) {
					t.Errorf("Run = %v, want one deadlock", err)
				}
			})
		}
	})
}

// Of several shields, the shield of a task that waits for no other task ends first. So
// Cond.Wait gets its mutex back when the holder unlocks it, even if the holder waits for
// its own tasks.
func TestDeadlockReturnsMutexToCond(t *testing.T) {
	await := func(ctx context.Context, fn func(ctx context.Context) error) error {
		_, err := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) }).Await(ctx)
		return err
	}
	scope := func(ctx context.Context, fn func(ctx context.Context) error) error {
		return task.Scope(ctx, func(ctx context.Context) error { task.Go(ctx, fn); return nil })
	}
	for name, hold := range map[string]func(ctx context.Context) error{
		"itself": forever,
		"scope":  func(ctx context.Context) error { return scope(ctx, forever) },
		"await":  func(ctx context.Context) error { return await(ctx, forever) },
		"both": func(ctx context.Context) error {
			return scope(ctx, func(ctx context.Context) error { return await(ctx, forever) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			var m locks.Mutex
			cond := locks.Cond{L: &m}
			held := false
			locked := func(fn func(ctx context.Context) error) func(ctx context.Context) error {
				return func(ctx context.Context) error {
					if err := m.Lock(ctx); err != nil {
						return err
					}
					defer m.Unlock()
					return fn(ctx)
				}
			}
			err := inVirtual(t, func(ctx context.Context) error {
				task.Go(ctx, locked(func(ctx context.Context) error {
					err := cond.Wait(ctx)
					held = m.Holder() == task.Self(ctx)
					return err
				}))
				task.Go(ctx, locked(func(ctx context.Context) error {
					shielded, release := task.Shield(ctx, -1)
					defer release()
					return hold(shielded)
				}))
				return nil
			})
			var d *task.DeadlockError
			if !errors.As(err, &d) || !held {
				t.Errorf("Run = %v; the mutex was locked after Wait: %v", err, held)
			}
		})
	}
}

// A deadlock that Run does not return is reported to the exception handler, once.
func TestSwallowedDeadlockIsReported(t *testing.T) {
	cleanUp := func(ctx context.Context) error {
		forever(ctx)
		shielded, release := task.Shield(ctx, -1)
		defer release()
		return forever(shielded)
	}
	for name, test := range map[string]struct {
		main func(ctx context.Context) error
		want error // the error of Run; nil means an error that contains the deadlock
	}{
		"returned":  {forever, nil},
		"wrapped":   {func(ctx context.Context) error { return fmt.Errorf("main: %w", forever(ctx)) }, nil},
		"swallowed": {func(ctx context.Context) error { forever(ctx); return errOther }, errOther},
		"cancelled before": {func(ctx context.Context) error {
			task.ScopeOf(ctx).Cancel(errOther)
			cleanUp(ctx)
			return errOther
		}, errOther},
		"failed before": {func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error { cleanUp(ctx); return nil })
				return errOther
			})
		}, errOther},
	} {
		t.Run(name, func(t *testing.T) {
			l := newVirtual(t)
			var reported []error
			l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reported = append(reported, e.Err) })
			err := task.Runner{Loop: l}.Run(context.Background(), test.main)
			if test.want == nil {
				reported = append(reported, err)
			} else if err != test.want {
				t.Errorf("Run = %v, want %v", err, test.want)
			}
			var d *task.DeadlockError
			if len(reported) != 1 || !errors.As(reported[0], &d) || len(d.Waits) == 0 {
				t.Errorf("Run = %v, the deadlock was reported as %v", err, reported)
			}
		})
	}
}
