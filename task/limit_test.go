// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/internal/bridge"
	"baton/sim"
	"baton/task"
)

// within runs fn under a deadline d from now. It reports whether the deadline has passed,
// and whether err says only that.
func within(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) (expired, own bool, err error) {
	ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(d))
	defer release()
	err = fn(ctx)
	return hasPassed(ctx), bridge.Expired(ctx, err), err
}

// hasPassed reports whether the deadline of timed itself has cancelled it.
func hasPassed(timed context.Context) bool {
	c, canceled := task.Check(timed).(*task.Canceled)
	return canceled && any(c.Scope) == any(timed) && errors.Is(c, context.DeadlineExceeded)
}

// The outcomes of a block with a deadline.
func TestOutcomesOfDeadlineBlock(t *testing.T) {
	tests := []struct {
		name         string
		d            time.Duration
		fn           func(ctx context.Context) error
		want         error
		expired, own bool
		took         time.Duration
	}{
		{" expires", time.Second, forever, context.DeadlineExceeded, true, true, time.Second},
		{" wrapped", time.Second, func(ctx context.Context) error {
			return fmt.Errorf("body: %w", forever(ctx))
		}, context.DeadlineExceeded, true, true, time.Second},
		{" the bare sentinel", time.Second, func(ctx context.Context) error {
			forever(ctx)
			return ctx.Err()
		}, context.DeadlineExceeded, true, true, time.Second},
		{" through a scope", time.Second, func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, forever)
				return forever(ctx)
			})
		}, context.DeadlineExceeded, true, true, time.Second},
		{" does not expire", time.Second, func(ctx context.Context) error { return turns(ctx, 3) }, nil, false, false, 0},
		{" zero", 0, task.Yield, context.DeadlineExceeded, true, true, 0},
		{" past", -time.Hour, task.Yield, context.DeadlineExceeded, true, true, 0},
		{" past, but nothing switches", -time.Hour, func(context.Context) error { return nil }, nil, true, false, 0},
		{" another error", time.Second, func(ctx context.Context) error { return errOops }, errOops, false, false, 0},
		{" the cleanup fails", time.Second, func(ctx context.Context) error {
			forever(ctx)
			return errOops
		}, errOops, true, false, time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				start := task.Now(ctx)
				expired, own, err := within(ctx, test.d, test.fn)
				if !errors.Is(err, test.want) || expired != test.expired || own != test.own {
					t.Errorf("%v, expired %v, own %v", err, expired, own)
				}
				if took := task.Now(ctx).Sub(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if _, left := task.Loop(ctx).NextDeadline(); left && !task.Loop(ctx).Idle() {
					t.Error("a timer is left")
				}
				return turns(ctx, 2)
			})
		})
	}
}

// Errors of every type can be passed to bridge.Expired. They do not count as the deadline's
// cancel.
func TestOtherErrorsInDeadlineBlock(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		for _, err := range []error{errOops, uncomparable{1}, errors.Join(errOops, errOther), errors.Join(uncomparable{1}), errors.Join(errOops, context.DeadlineExceeded)} {
			_, own, got := within(ctx, 0, func(context.Context) error { return err })
			if own || fmt.Sprint(got) != fmt.Sprint(err) {
				t.Errorf("%v: %v, own %v", err, got, own)
			}
		}
		return nil
	})
}

// Nested deadlines. If both have passed, the outer one decides.
func TestNestedDeadlines(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		expired, own, err := within(ctx, 3*time.Second, func(ctx context.Context) error {
			expired, own, err := within(ctx, time.Second, forever)
			if !own || !expired {
				t.Errorf("inner: %v, expired %v, own %v", err, expired, own)
			}
			return forever(ctx)
		})
		if !own || !expired {
			t.Errorf("outer: %v, expired %v, own %v", err, expired, own)
		}
		_, own, err = within(ctx, time.Second, func(ctx context.Context) error {
			expired, own, err := within(ctx, time.Second, func(ctx context.Context) error {
				err := forever(ctx)
				for range 2 { // both timers are due in one poll
					err = task.Yield(ctx)
				}
				return err
			})
			if own || expired {
				t.Errorf("both: the inner block expired with %v", err)
			}
			return err
		})
		if !own {
			t.Errorf("both: the outer block did not expire with %v", err)
		}
		return nil
	})
}

// An outer cancel inside a deadline block does not count as the deadline's cancel.
func TestOuterCancelInsideDeadlineBlock(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		tk := task.Start(ctx, func(ctx context.Context) (int, error) {
			expired, own, err := within(ctx, time.Hour, forever)
			if expired || own || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, expired %v, own %v", err, expired, own)
			}
			return 0, err
		})
		turns(ctx, 2)
		tk.Cancel(errOops)
		if _, err := tk.Await(ctx); !errors.Is(err, errOops) || !errors.Is(err, context.Canceled) {
			t.Errorf("Await = %v", err)
		}
		return nil
	})
}

// Reschedule moves a deadline earlier or later, or removes it. It returns false after the
// deadline or the release.
func TestReschedule(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		if await.Reschedule(ctx, task.Now(ctx)) {
			t.Error("Reschedule without a deadline = true")
		}
		start := task.Now(ctx)
		at := func(d time.Duration) time.Time { return start.Add(d) }
		ctx, release := await.WithDeadline(ctx, at(time.Second))
		if !await.Reschedule(ctx, at(3*time.Second)) {
			t.Error("Reschedule = false")
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			t.Errorf("later: %v", err)
		}
		await.Reschedule(ctx, time.Time{})
		if err := sleep(ctx, 10*time.Second); err != nil {
			t.Errorf("never: %v", err)
		}
		inner := context.WithValue(ctx, anyKey{}, 1)
		await.Reschedule(inner, at(13*time.Second))
		if err := sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || task.Now(ctx) != at(13*time.Second) {
			t.Errorf("earlier: %v after %v", err, task.Now(ctx).Sub(start))
		}
		if await.Reschedule(ctx, at(time.Hour)) {
			t.Error("Reschedule after the deadline = true")
		}
		release()
		release()
		return nil
	})
	mustRun(t, func(ctx context.Context) error {
		inside, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Second))
		release()
		if await.Reschedule(inside, task.Now(ctx).Add(time.Second)) || hasPassed(inside) {
			t.Error("a released deadline could be moved, or has passed")
		}
		if err := task.Check(inside); !errors.Is(err, context.Canceled) {
			t.Errorf("Check under a released deadline = %v", err)
		}
		task.Go(ctx, func(ctx context.Context) error {
			if await.Reschedule(ctx, task.Now(ctx)) {
				t.Error("a task moved the deadline of another task")
			}
			return nil
		})
		return turns(ctx, 2)
	})
}

// A shield lets cleanup switch for a limited time after the cancel.
func TestShieldHoldsCancelBack(t *testing.T) {
	tests := []struct {
		name   string
		bound  time.Duration
		early  bool // the cancel comes before the shield
		needs  time.Duration
		want   error
		lasted time.Duration
	}{
		{"long enough", time.Second, false, time.Second / 2, nil, time.Second / 2},
		{"too short", time.Second, false, time.Hour, errOops, time.Second},
		{"cancelled before", time.Second, true, time.Hour, errOops, time.Second},
		{"the default", 0, true, time.Hour, errOops, task.ShieldTime},
		{"without bound", -1, true, time.Hour, nil, time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				start := task.Now(ctx)
				tk := task.Start(ctx, func(ctx context.Context) (int, error) {
					if test.early {
						task.Self(ctx).Cancel(errOops)
					}
					shielded, release := task.Shield(ctx, test.bound)
					defer release()
					err := sleep(shielded, test.needs)
					if !errors.Is(err, test.want) || (err == nil) != (shielded.Err() == nil) {
						t.Errorf("%v, Err = %v", err, shielded.Err())
					}
					return 0, task.Check(ctx)
				})
				turns(ctx, 2)
				tk.Cancel(errOops)
				_, err := tk.Await(ctx)
				if lasted := task.Now(ctx).Sub(start); !errors.Is(err, errOops) || lasted != test.lasted {
					t.Errorf("%v after %v, want %v", err, lasted, test.lasted)
				}
				return nil
			})
		})
	}
}

// A cancel of an outer standard context starts the time limit of a shield too, whether it comes
// before the shield or after it.
func TestShieldUnderStandardContext(t *testing.T) {
	for _, early := range []bool{true, false} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			std, cancel := context.WithCancel(ctx)
			defer cancel()
			if early {
				cancel()
			}
			shielded, release := task.Shield(std, time.Second)
			defer release()
			cancel()
			began := task.Now(ctx)
			err := task.ParkUntil(shielded, began.Add(time.Hour))
			if took := task.Now(ctx).Sub(began); !errors.Is(err, context.Canceled) || took != time.Second {
				t.Errorf("early %v: ParkUntil = %v after %v, want canceled after 1s", early, err, took)
			}
		})
	}
}

// context.WithoutCancel does not shield a wait of the task from a cancel of the task.
func TestWithoutCancelIsNoShield(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		waiter := task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, sleep(context.WithoutCancel(ctx), time.Hour)
		})
		if err := turns(ctx, 2); err != nil {
			return err
		}
		waiter.Cancel(nil)
		if _, err := waiter.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Await = %v, want a cancel", err)
		}
		return nil
	})
}
