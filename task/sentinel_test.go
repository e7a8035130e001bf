// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// errors.Is finds exactly one of the two sentinels in a cancel, whatever its cause
// contains. It also finds the cause, unless the cause contains the other sentinel.
func TestCancelHasOneSentinel(t *testing.T) {
	late := fmt.Errorf("too late: %w", context.DeadlineExceeded)
	both := errors.Join(context.Canceled, errOops, context.DeadlineExceeded)

	// The ways to cancel. Each returns the error of a wait.
	deadline := func(ctx context.Context, _ error) error {
		ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Second))
		defer release()
		return forever(ctx)
	}
	cancel := func(ctx context.Context, cause error) error {
		task.Self(ctx).Cancel(cause)
		return forever(ctx)
	}
	standard := func(ctx context.Context, cause error) error {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(cause)
		return forever(ctx)
	}
	within := func(ctx context.Context, cause error) error { // the cause is another cancel
		return cancel(ctx, standard(ctx, cause))
	}
	for _, c := range []struct {
		name  string
		way   func(ctx context.Context, cause error) error
		cause error
		want  error
	}{
		{"deadline", deadline, nil, context.DeadlineExceeded},
		{"cancel", cancel, nil, context.Canceled},
		{"cancel with a cause", cancel, errOops, context.Canceled},
		{"cancel for a deadline elsewhere", cancel, late, context.DeadlineExceeded},
		{"cancel with both", cancel, both, context.DeadlineExceeded},
		{"standard", standard, nil, context.Canceled},
		{"standard with a cause", standard, errOops, context.Canceled},
		{"standard with the other one", standard, context.DeadlineExceeded, context.Canceled},
		{"standard with the other one wrapped", standard, late, context.Canceled},
		{"standard with both", standard, both, context.Canceled},
		{"a cancel of a cancel", within, late, context.Canceled},
		{"a cancel of a cancel with both", within, both, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				waiter := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, c.way(ctx, c.cause) })
				_, err := waiter.Await(ctx)
				for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded} {
					if got := errors.Is(err, sentinel); got != (sentinel == c.want) {
						t.Errorf("errors.Is(%v, %v) = %v", err, sentinel, got)
					}
				}
				other := context.Canceled
				if c.want == other {
					other = context.DeadlineExceeded
				}
				if known := errors.Is(c.cause, errOops) && !errors.Is(c.cause, other); errors.Is(err, errOops) != known {
					t.Errorf("%v: errors.Is finds its cause: %v", err, !known)
				}
				return nil
			})
		})
	}
}

// errors.As finds the cancel as a net.Error, and not a sentinel in its cause.
func TestCanceledIsNetError(t *testing.T) {
	late := fmt.Errorf("too late: %w", context.DeadlineExceeded)
	mustRun(t, func(ctx context.Context) error {
		passed, release := await.WithDeadline(ctx, task.Now(ctx))
		defer release()
		given, cancel := context.WithCancelCause(ctx)
		cancel(late)
		for _, c := range []struct {
			name string
			err  error
			want error
		}{
			{"deadline", task.Check(passed), context.DeadlineExceeded},
			{"cancel for a deadline elsewhere", task.Check(given), context.Canceled},
		} {
			err := fmt.Errorf("work: %w", c.err)
			for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded} {
				if got := errors.Is(err, sentinel); got != (sentinel == c.want) {
					t.Errorf("%s: errors.Is(%v, %v) = %v", c.name, err, sentinel, got)
				}
			}
			var timeout net.Error
			if !errors.As(err, &timeout) || timeout != c.err || timeout.Timeout() != (c.want == context.DeadlineExceeded) {
				t.Errorf("%s: %v as a net.Error is %v", c.name, err, timeout)
			}
		}
		return nil
	})
}

// An outer deadline passes while a block cleans up. ctx.Err still returns the sentinel of
// the first cancel. Returning it counts as the block's own cancel, like the *Canceled.
func TestOuterDeadlineDuringCleanup(t *testing.T) {
	for _, bare := range []bool{false, true} {
		cleanUp := func(ctx context.Context) error {
			err := forever(ctx)
			shielded, release := task.Shield(ctx, -1)
			defer release()
			sleep(shielded, time.Minute) // the outer deadline passes, or its block ends
			if bare {
				return ctx.Err()
			}
			return err
		}
		mustRun(t, func(ctx context.Context) error {
			_, _, err := within(ctx, 2*time.Second, func(ctx context.Context) error {
				return task.Scope(ctx, func(ctx context.Context) error {
					task.Go(ctx, fails(0, errOops))
					return cleanUp(ctx)
				})
			})
			if err != errOops {
				t.Errorf("bare %v: Scope = %v, want %v alone", bare, err, errOops)
			}
			var own bool
			err = task.Scope(ctx, func(ctx context.Context) error {
				within(ctx, 2*time.Second, func(ctx context.Context) error {
					task.Go(ctx, func(ctx context.Context) error {
						_, own, _ = within(ctx, time.Second, cleanUp)
						return nil
					})
					return sleep(ctx, 1500*time.Millisecond)
				})
				return nil
			})
			if !own || err != nil {
				t.Errorf("bare %v: the block expired: %v; Scope = %v", bare, own, err)
			}
			return nil
		})
	}
}
