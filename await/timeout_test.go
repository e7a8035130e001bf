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

// TestTimeout: what a body may do, and what comes out at the edge. Behaviours
// 187-189, 192.
func TestTimeout(t *testing.T) {
	const d = time.Second
	cases := []struct {
		name    string
		timeout time.Duration
		body    func(ctx context.Context) error
		want    error // by errors.Is
		expired bool
		took    time.Duration
	}{
		{"expires", d, func(ctx context.Context) error { return await.Sleep(ctx, 2*d) }, context.DeadlineExceeded, true, d},
		{"in time", d, func(ctx context.Context) error { return await.Sleep(ctx, d/2) }, nil, false, d / 2},
		{"fails", d, func(ctx context.Context) error { return errBody }, errBody, false, 0},
		{"never waits", 0, func(ctx context.Context) error { return nil }, nil, false, 0},
		{"zero", 0, func(ctx context.Context) error { return await.Sleep(ctx, d) }, context.DeadlineExceeded, true, 0},
		{"negative", -d, func(ctx context.Context) error { return task.Check(ctx) }, context.DeadlineExceeded, true, 0},
		{"succeeds all the same", d, func(ctx context.Context) error { await.Sleep(ctx, 2*d); return nil }, nil, false, d},
		{"fails in its cleanup", d, func(ctx context.Context) error { await.Sleep(ctx, 2*d); return errBody }, errBody, false, d},
		{"fails besides", d, func(ctx context.Context) error { return errors.Join(await.Sleep(ctx, 2*d), errBody) }, errBody, false, d},
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
					t.Errorf("Timeout = %v, which still is a cancel", err)
				}
				var timeout net.Error
				if c.expired && (!errors.As(err, &timeout) || !timeout.Timeout()) {
					t.Errorf("Timeout = %v, which is no timeout for package net", err)
				}
				took(ctx, t, began, c.took)
				if when, ok := task.Loop(ctx).NextDeadline(); ok {
					t.Errorf("a timer is left over, due in %v", when.Sub(task.Now(ctx)))
				}
				check(t, "Sleep after the block", await.Sleep(ctx, 10*d))
			})
		})
	}
}

// TestTimeoutAmongOthers: an error that joins the timeout's cancel with another failure
// comes out as it is.
func TestTimeoutAmongOthers(t *testing.T) {
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

// TestTimeoutAtTheDeadline: a result that is there at the very deadline counts,
// whatever is first. Behaviour 158.
func TestTimeoutAtTheDeadline(t *testing.T) {
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

// TestTimeoutOfTheEnded: a task that has ended is no reason for a timeout of zero to
// pass; its result is there without waiting. Behaviour 158, which decides the
// other way.
func TestTimeoutOfTheEnded(t *testing.T) {
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

// TestTimeoutSameMoment: a result and a cancel from outside in the same moment. The
// one that was first decides what the wait returns, and the cancel is never
// swallowed. Behaviour 159.
func TestTimeoutSameMoment(t *testing.T) {
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
				t.Errorf("Timeout = %v with %d, the result first: %v", err, v, resultFirst)
			}
			if !errors.Is(next, context.Canceled) {
				t.Errorf("the next call = %v, want canceled", next)
			}
		})
	}
}

// TestTimeoutOfTheCanceled: in a task that has absorbed a cancel a timeout has
// nothing to add, before it is due or after, and under a shield it works as ever.
// Behaviour 193.
func TestTimeoutOfTheCanceled(t *testing.T) {
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

// TestTimeoutOuterCancel: a cancel from outside passes, and is none of the
// timeout's business. Behaviours 159, 193.
func TestTimeoutOuterCancel(t *testing.T) {
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

// TestTimeoutNested: at the same time the outermost wins; an inner one that was
// handled does not keep the outer one from firing; and of two that are overdue
// the outermost wins, whichever was due first. Behaviour 191, guarantee G8.
func TestTimeoutNested(t *testing.T) {
	cases := []struct {
		name         string
		outer, inner time.Duration
		busy         time.Duration // before the body looks
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

// TestTimeoutInTurn: an inner timeout that was handled, and then the outer one.
// Behaviour 191.
func TestTimeoutInTurn(t *testing.T) {
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

// TestTimeoutLate: both deadlines pass while the body is between two switch
// points that it reached under the inner one.
func TestTimeoutLate(t *testing.T) {
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

// TestReschedule: later, earlier, away, too late. Behaviour 194.
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
			t.Error("Reschedule outside of a timeout = true")
		}
		timed, release := await.WithDeadline(ctx, in(time.Second))
		defer release()
		check(t, "Sleep", await.Sleep(ctx, time.Minute))
		if await.Reschedule(timed, in(time.Second)) {
			t.Error("Reschedule after the deadline = true")
		}
	})
}

// TestWithTimeout: the context ends with the standard errors, is released
// without a trace, and works again and again. Behaviours 187-189.
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
