// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"baton/await"
	"baton/internal/saturate"
	"baton/sim"
	"baton/task"
)

var errBody = errors.New("the body failed")

// What Timeout returns for different outcomes of its function.
func TestOutcomesOfTimeout(t *testing.T) {
	const d = time.Second
	cases := []struct {
		name    string
		timeout time.Duration
		body    func(ctx context.Context) error
		want    error // compared by errors.Is
		expired bool
		took    time.Duration
	}{
		{"expires", d, func(ctx context.Context) error { return await.Sleep(ctx, 2*d) }, context.DeadlineExceeded, true, d},
		{"in time", d, func(ctx context.Context) error { return await.Sleep(ctx, d/2) }, nil, false, d / 2},
		{"fails", d, func(ctx context.Context) error { return errBody }, errBody, false, 0},
		{"never waits", 0, func(ctx context.Context) error { return nil }, nil, false, 0},
		{"zero", 0, func(ctx context.Context) error { return await.Sleep(ctx, d) }, context.DeadlineExceeded, true, 0},
		{"negative", -d, func(ctx context.Context) error { return task.Check(ctx) }, context.DeadlineExceeded, true, 0},
		{"succeeds too late", d, func(ctx context.Context) error { await.Sleep(ctx, 2*d); return nil }, nil, false, d},
		{"fails in its cleanup", d, func(ctx context.Context) error { await.Sleep(ctx, 2*d); return errBody }, errBody, false, d},
		{"fails too", d, func(ctx context.Context) error { return errors.Join(await.Sleep(ctx, 2*d), errBody) }, errBody, false, d},
		{"returns the bare sentinel", d, func(ctx context.Context) error { await.Sleep(ctx, 2*d); return ctx.Err() }, context.DeadlineExceeded, true, d},
		{"cleans up", d, func(ctx context.Context) error {
			err := await.Sleep(ctx, 2*d)
			shielded, release := task.Shield(ctx, 0)
			defer release()
			return errors.Join(err, await.Sleep(shielded, d))
		}, context.DeadlineExceeded, true, 2 * d},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				began := task.Now(ctx)
				err := await.Timeout(ctx, c.timeout, c.body)
				if !errors.Is(err, c.want) {
					t.Errorf("Timeout = %v, want %v", err, c.want)
				}
				var cancel *task.Canceled
				if c.expired && errors.As(err, &cancel) {
					t.Errorf("Timeout = %v, want no *task.Canceled", err)
				}
				var timeout net.Error
				if c.expired && (!errors.As(err, &timeout) || !timeout.Timeout()) {
					t.Errorf("Timeout = %v, want a net.Error that is a timeout", err)
				}
				took(ctx, t, began, c.took)
				if when, ok := task.Loop(ctx).NextDeadline(); ok {
					t.Errorf("a timer is left, due in %v", when.Sub(task.Now(ctx)))
				}
				check(t, "Sleep after the block", await.Sleep(ctx, 10*d))
			})
		})
	}
}

// Timeout returns an error unchanged if the error joins the timeout's cancel with another
// failure.
func TestTimeoutJoinedWithFailure(t *testing.T) {
	for name, join := range map[string]func(ctx context.Context, cancel error) error{
		"the cancel":   func(_ context.Context, cancel error) error { return errors.Join(cancel, errBody) },
		"the sentinel": func(ctx context.Context, _ error) error { return errors.Join(errBody, ctx.Err()) },
		"wrapped": func(_ context.Context, cancel error) error {
			return fmt.Errorf("load: %w", errors.Join(cancel, errBody))
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var returned error
				err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
					returned = join(ctx, await.Sleep(ctx, time.Hour))
					return returned
				})
				if err != returned || !errors.Is(err, errBody) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Timeout = %v, want %v", err, returned)
				}
			})
		})
	}
}

// A result and a timeout come at the same time. Exactly one of them ends the wait, and the
// result is not lost.
func TestResultAtTheDeadline(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		work := after(ctx, time.Second, 42, nil)
		check(t, "Sleep", await.Sleep(ctx, 0))
		got := 0
		err := await.Timeout(ctx, time.Second, func(ctx context.Context) (err error) {
			got, err = work.Await(ctx)
			return err
		})
		if late := errors.Is(err, context.DeadlineExceeded); late == (got == 42) {
			t.Errorf("Timeout = %v with the result %d", err, got)
		}
		v, err := work.Await(ctx)
		check(t, "Await", err)
		if v != 42 {
			t.Errorf("Await = %d, want 42", v)
		}
	})
}

// A Timeout of zero passes even if the awaited task has ended. The task's result is still
// available. (asyncio returns the result in this case.)
func TestTimeoutOfZeroAroundEndedTask(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		work := after(ctx, 0, 42, nil)
		check(t, "Sleep", await.Sleep(ctx, 1))
		err := await.Timeout(ctx, 0, func(ctx context.Context) error {
			if v, err := work.Result(); v != 42 || err != nil {
				t.Errorf("Result = %d, %v", v, err)
			}
			_, err := work.Await(ctx)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Timeout = %v, want deadline exceeded", err)
		}
	})
}

// A result and an outer cancel come in the same step. The first of the two decides what the
// wait returns. The next call returns the cancel in any case.
func TestResultAndCancelInOneStep(t *testing.T) {
	for _, resultFirst := range []bool{true, false} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			var f task.Future[int]
			var v int
			var err, next error
			waiting := task.Go(ctx, func(ctx context.Context) error {
				err = await.Timeout(ctx, time.Hour, func(ctx context.Context) (err error) {
					v, err = f.Await(ctx)
					return err
				})
				next = await.Sleep(ctx, 0)
				return nil
			})
			check(t, "Sleep", await.Sleep(ctx, 1))
			if resultFirst {
				f.Set(42)
			}
			waiting.Cancel(nil)
			if !resultFirst {
				f.Set(42)
			}
			check(t, "Sleep", await.Sleep(ctx, 1))
			if (v == 42) != resultFirst || (err == nil) != resultFirst || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Timeout = %v with the value %d, the result came first: %v", err, v, resultFirst)
			}
			if !errors.Is(next, context.Canceled) {
				t.Errorf("the next call = %v, want canceled", next)
			}
		})
	}
}

// In a task that is already cancelled, a timeout changes nothing, before and after its
// deadline. Under a shield, the timeout works as usual.
func TestTimeoutInCancelledTask(t *testing.T) {
	for _, d := range []time.Duration{0, time.Second} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			task.Self(ctx).Cancel(nil)
			if await.Sleep(ctx, 1) == nil {
				t.Error("Sleep did not return the cancel")
			}
			sleep := func(ctx context.Context) error { return await.Sleep(ctx, time.Hour) }
			err := await.Timeout(ctx, d, sleep)
			if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Timeout = %v, want canceled", err)
			}
			shielded, release := task.Shield(ctx, -1)
			defer release()
			began := task.Now(ctx)
			if err := await.Timeout(shielded, d, sleep); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Timeout = %v under a shield, want deadline exceeded", err)
			}
			took(shielded, t, began, d)
		})
	}
}

// Timeout returns an outer cancel unchanged, even if its own deadline has passed too.
func TestTimeoutReturnsOuterCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		cause := errors.New("enough")
		var err error
		waiting := task.Go(ctx, func(ctx context.Context) error {
			err = await.Timeout(ctx, time.Hour, func(ctx context.Context) error {
				err := await.Sleep(ctx, 2*time.Hour)
				shielded, release := task.Shield(ctx, -1)
				defer release()
				await.Sleep(shielded, 2*time.Hour) // the deadline passes
				return err
			})
			return nil
		})
		check(t, "Sleep", await.Sleep(ctx, time.Second))
		waiting.Cancel(cause)
		check(t, "Sleep", await.Sleep(ctx, 10*time.Hour))
		if !errors.Is(err, cause) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Timeout = %v, want the cause %v", err, cause)
		}
	})
}

// If two nested timeouts pass together, the outer one wins. It also wins if both have
// passed before the function notices, whichever was due first. An inner timeout that was
// handled does not disable the outer one.
func TestNestedTimeouts(t *testing.T) {
	cases := []struct {
		name         string
		outer, inner time.Duration
		busy         time.Duration // how long the body ignores the cancel
		outerWins    bool
	}{
		{"the inner first", 3, 1, 0, false},
		{"the outer first", 1, 3, 0, true},
		{"together", 2, 2, 0, true},
		{"overdue, the inner first", 3, 1, 5, true},
		{"overdue, the outer first", 1, 3, 5, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				innerErr := errors.New("not reached")
				outerErr := await.Timeout(ctx, c.outer*time.Second, func(ctx context.Context) error {
					innerErr = await.Timeout(ctx, c.inner*time.Second, func(ctx context.Context) error {
						shielded, release := task.Shield(ctx, -1)
						await.Sleep(shielded, c.busy*time.Second)
						release()
						return await.Sleep(ctx, time.Hour)
					})
					return innerErr
				})
				var cancel *task.Canceled
				if fromOuter := errors.As(innerErr, &cancel); fromOuter != c.outerWins {
					t.Errorf("the inner Timeout = %v", innerErr)
				}
				if errors.As(outerErr, &cancel) || !errors.Is(outerErr, context.DeadlineExceeded) {
					t.Errorf("the outer Timeout = %v, want deadline exceeded", outerErr)
				}
			})
		})
	}
}

// An inner timeout is handled twice, and then the outer one passes.
func TestOuterTimeoutAfterHandledInnerTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		err := await.Timeout(ctx, 3*time.Second, func(ctx context.Context) error {
			for range 2 {
				err := await.Timeout(ctx, time.Second, func(ctx context.Context) error { return await.Sleep(ctx, time.Hour) })
				if !errors.Is(err, context.DeadlineExceeded) || task.Check(ctx) != nil {
					t.Errorf("the inner Timeout = %v, the cancel outside %v", err, task.Check(ctx))
				}
			}
			return await.Sleep(ctx, time.Hour)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Timeout = %v", err)
		}
		took(ctx, t, began, 3*time.Second)
	})
}

// The outer deadline passes while the body still cleans up after the inner one.
func TestOuterDeadlinePassesDuringCleanup(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		err := await.Timeout(ctx, 2*time.Second, func(ctx context.Context) error {
			err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
				err := await.Sleep(ctx, time.Hour) // the inner cancel
				shielded, release := task.Shield(ctx, -1)
				defer release()
				await.Sleep(shielded, time.Hour) // the outer one passes
				return err
			})
			var cancel *task.Canceled
			if !errors.As(err, &cancel) {
				t.Errorf("the inner Timeout = %v, want the outer cancel", err)
			}
			return err
		})
		var cancel *task.Canceled
		if errors.As(err, &cancel) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the outer Timeout = %v, want its own", err)
		}
	})
}

// Reschedule moves a deadline later, earlier or to the past, and removes it. It returns
// false if there is no deadline or if the deadline has passed.
func TestReschedule(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		in := func(d time.Duration) time.Time { return saturate.Add(task.Now(ctx), d) }
		cases := []struct {
			name string
			when func() time.Time
			took time.Duration
		}{
			{"later", func() time.Time { return in(3 * time.Second) }, 3 * time.Second},
			{"earlier", func() time.Time { return in(time.Millisecond) }, time.Millisecond},
			{"past", func() time.Time { return in(-time.Hour) }, 0},
			{"never", func() time.Time { return time.Time{} }, time.Hour},
		}
		for _, c := range cases {
			began := task.Now(ctx)
			err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
				if !await.Reschedule(ctx, c.when()) {
					t.Errorf("%s: Reschedule = false", c.name)
				}
				return await.Sleep(ctx, time.Hour)
			})
			if (err == nil) != (c.took == time.Hour) {
				t.Errorf("%s: Timeout = %v", c.name, err)
			}
			took(ctx, t, began, c.took)
		}
		if await.Reschedule(ctx, in(time.Second)) {
			t.Error("Reschedule without a timeout = true")
		}
		timed, release := await.WithDeadline(ctx, in(time.Second))
		defer release()
		check(t, "Sleep", await.Sleep(ctx, time.Minute))
		if await.Reschedule(timed, in(time.Second)) {
			t.Error("Reschedule after the deadline = true")
		}
	})
}

// The context has the standard errors. After release no timer is left, and release may be
// called again.
func TestWithTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		timed, release := await.WithTimeout(ctx, time.Second)
		check(t, "Sleep", await.Sleep(timed, time.Millisecond))
		for range 2 {
			if err := await.Sleep(timed, time.Hour); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				t.Errorf("Sleep = %v, want deadline exceeded only", err)
			}
		}
		if timed.Err() != context.DeadlineExceeded || context.Cause(timed) != context.DeadlineExceeded {
			t.Errorf("Err = %v, Cause = %v", timed.Err(), context.Cause(timed))
		}
		release()
		release()
		timed, release = await.WithDeadline(ctx, time.Time{})
		check(t, "Sleep without a deadline", await.Sleep(timed, 100*time.Hour))
		release()
		if timed.Err() != context.Canceled {
			t.Errorf("Err after release = %v", timed.Err())
		}
	})
}
