// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"fmt"
	"time"

	"baton/internal/bridge"
	"baton/task"
)

// WithTimeout returns a context that is cancelled when d has passed on the loop's clock, or
// at once if d is zero or less. It is like [WithDeadline] with a duration, and like
// context.WithTimeout on the loop's clock. [Timeout] does the same for a function.
func WithTimeout(ctx context.Context, d time.Duration) (timed context.Context, release context.CancelFunc) {
	return bridge.WithDeadline(ctx, after(ctx, d))
}

// WithDeadline returns a context that is cancelled at the time when on the loop's clock.
// Calls under that context then return a [*task.Canceled] that is context.DeadlineExceeded.
// A time that has passed cancels the context at once. The zero time means no deadline,
// until Reschedule sets one. WithDeadline never switches.
//
// The caller must call release. It ends the context and cancels what still runs under it.
// Any goroutine may call release. It takes effect at once if the caller holds the baton,
// and at the loop's next poll otherwise.
func WithDeadline(ctx context.Context, when time.Time) (timed context.Context, release context.CancelFunc) {
	return bridge.WithDeadline(ctx, when)
}

// Reschedule moves the deadline of the nearest WithDeadline, WithTimeout or Timeout from
// which ctx comes. It returns false if there is none, or if the deadline has passed. The
// zero time removes the deadline. A time that has passed cancels at once. Reschedule never
// switches.
//
// Reschedule finds only a deadline that the calling task has set, even outside a Shield. It
// does not find a deadline that the task inherited.
func Reschedule(ctx context.Context, when time.Time) bool { return bridge.Reschedule(ctx, when) }

// Timeout runs fn under a context that is cancelled when d has passed. If d is zero or
// less, the context is cancelled at once, and fn runs up to its first switch point.
//
// If fn returns an error that says only that this time has passed, Timeout returns the
// cancel of ctx if ctx is cancelled too. Otherwise it returns an error that is
// context.DeadlineExceeded. In every other case, Timeout returns what fn returned: a
// failure of cleanup, the cancel of an outer scope, or nil, even if fn succeeded too late.
//
// The error of an outer timeout is context.DeadlineExceeded too. To tell them apart, call
// [task.Check] with ctx: it returns nil if no outer timeout has passed.
//
// An error says only that this time has passed if it is the cancel of the timeout or the
// sentinel context.DeadlineExceeded. An error that wraps only such an error, or joins only
// such errors, counts too.
func Timeout(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	task.Checkpoint(ctx) // only counts the call: fn runs even if ctx is cancelled
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
		err = context.DeadlineExceeded // its text is shorter
	}
	return &timeoutError{max(d, 0), err.Error()}
}

// A timeoutError is the error of a Timeout whose time has passed. It does not wrap the
// cancel of the timeout: to an outer scope or timeout, it is a failure, and not that
// scope's own cancel. It is a pointer so that two timeouts of the same length are different
// errors.
type timeoutError struct {
	after time.Duration
	text  string // the text of the error that fn returned
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("await: timeout after %v: %s", e.after, e.text)
}

func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout and Temporary make it a net.Error. They return the same as in
// context.DeadlineExceeded.
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }
