// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"time"

	"baton/internal/bridge"
	"baton/task"
)

// WithTimeout returns a context that is cancelled when d has passed on the loop's
// clock; if d is zero or less, at once. It is WithDeadline for a duration, and
// context.WithTimeout for the clock of the loop. [Timeout] is the same as a block.
func WithTimeout(ctx context.Context, d time.Duration) (timed context.Context, release context.CancelFunc) {
	return bridge.WithDeadline(ctx, after(ctx, d))
}

// WithDeadline returns a context that is cancelled at when on the loop's clock. Calls
// under it then return a [*task.Canceled] that is context.DeadlineExceeded. A time that
// has passed cancels the context at once; the zero time is no deadline, until
// Reschedule sets one. WithDeadline never switches.
//
// Release ends the context, cancels what still runs under it, and must be called. It is
// safe from every goroutine: it takes effect at once if the caller holds the baton, and
// in the loop's next poll otherwise.
func WithDeadline(ctx context.Context, when time.Time) (timed context.Context, release context.CancelFunc) {
	return bridge.WithDeadline(ctx, when)
}

// Reschedule moves the deadline of the nearest WithDeadline, WithTimeout or Timeout that
// ctx is or was derived from, and reports whether there is one that has not passed. The
// zero time takes the deadline away; a time that has passed cancels at once. Only a
// deadline that the calling task has set is moved, also one beyond a Shield; a deadline
// that the task has inherited is not. Reschedule never switches.
func Reschedule(ctx context.Context, when time.Time) bool { return bridge.Reschedule(ctx, when) }

// Timeout runs fn under a context that is cancelled when d has passed; if d is zero or
// less, at once, so that fn runs up to its first switch point.
//
// If fn returns an error that only says that this time has passed, Timeout returns the
// cancel of ctx, if ctx is cancelled too, and otherwise an error that is
// context.DeadlineExceeded. Such an error is the cancel of the timeout or its sentinel,
// wraps one of those singly, or joins only such errors. Every other outcome of fn is
// that of Timeout: a failure of its cleanup, a cancel from further out, a result, even
// one that came too late.
func Timeout(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	task.Checkpoint(ctx) // counts the call; fn runs under a cancel, too
	timed, release := WithTimeout(ctx, d)
	defer release()
	err := fn(timed)
	if err == nil || !bridge.Expired(timed, err) {
		return err
	}
	if canceled := task.Check(ctx); canceled != nil {
		return canceled
	}
	if _, bare := err.(*task.Canceled); bare {
		err = context.DeadlineExceeded // which says it in fewer words
	}
	return &expiry{max(d, 0), err.Error()}
}

// An expiry is the error of a Timeout whose time has passed. It does not wrap the
// cancel of the timeout: it is a failure of its own, which no scope or timeout further
// out takes for its own cancel. It is a pointer because two timeouts of the same length
// are two failures.
type expiry struct {
	after time.Duration
	text  string // of the error that fn has returned
}

func (e *expiry) Error() string { return fmt.Sprintf("await: timeout after %v: %s", e.after, e.text) }

func (e *expiry) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout and Temporary are those of context.DeadlineExceeded, for net.Error.
func (e *expiry) Timeout() bool   { return true }
func (e *expiry) Temporary() bool { return true }
