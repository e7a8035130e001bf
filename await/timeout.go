// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"baton/task"
)

// WithTimeout returns a context that is cancelled when d has passed on the
// loop's clock; if d is zero or less, at once. The errors of calls under it are
// context.DeadlineExceeded then. Release ends it before, and must be called; it
// is safe from every goroutine.
//
// It is context.WithTimeout for the clock of the loop. [Timeout] is the same as
// a block.
func WithTimeout(ctx context.Context, d time.Duration) (timed context.Context, release context.CancelFunc) {
	return task.WithDeadline(ctx, after(ctx, d), nil)
}

// WithDeadline is like WithTimeout with a time on the loop's clock. The zero
// time is no deadline, until Reschedule sets one.
func WithDeadline(ctx context.Context, when time.Time) (timed context.Context, release context.CancelFunc) {
	return task.WithDeadline(ctx, when, nil)
}

// Reschedule moves the deadline of the nearest WithDeadline, WithTimeout or
// Timeout around ctx; the zero time takes it away. It reports whether there is
// one that has not passed. It never switches.
func Reschedule(ctx context.Context, when time.Time) bool { return task.Reschedule(ctx, when) }

// Timeout runs fn, under a context that is cancelled when d has passed; if d is
// zero or less, at once, so that fn runs up to its first switch point.
//
// If fn returns the error of that cancel, Timeout returns one that is
// context.DeadlineExceeded, and that a cancel of ctx can no longer be mistaken for,
// with the words that fn has wrapped it in; if it is joined with others, this one
// takes its place among them. Any other outcome of fn is that of Timeout: a failure
// of its cleanup, a cancel from further out, a result, even one that came too late.
// If a timeout around this one has expired as well, or ctx is cancelled otherwise,
// Timeout returns that cancel; only the failure of another task does not hide that
// the time has passed here.
func Timeout(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	task.Checkpoint(ctx) // counts the call; fn runs under a cancel, too
	timed, release := WithTimeout(ctx, d)
	defer release()
	err := fn(timed)
	rest, own := task.Rest(timed, err)
	if !own {
		return err
	}
	words := wrapping(err)
	if err = task.Asked(ctx); err == nil {
		err = &expiry{d, words}
	}
	if rest != nil {
		err = errors.Join(rest, err) // what nobody expects comes first
	}
	return err
}

// An expiry is the error of a Timeout whose time has passed. It is
// context.DeadlineExceeded for errors.Is and does not wrap it: whoever looks
// for the echo of a cancel unwraps errors, and this is a failure of its own,
// which a cancel of the caller must not hide. A pointer, for two timeouts of
// the same length are two failures.
type expiry struct {
	after time.Duration
	words string // what the echo was wrapped in, as "loading: "
}

func (e *expiry) Error() string {
	return fmt.Sprintf("await: timeout after %v: %s%v", e.after, e.words, context.DeadlineExceeded)
}

func (e *expiry) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout and Temporary are those of context.DeadlineExceeded, for net.Error.
func (e *expiry) Timeout() bool   { return true }
func (e *expiry) Temporary() bool { return true }

// wrapping returns the words in which somebody has wrapped the echo of a cancel:
// they tell what took so long. Of joined errors, and of an echo that does not come
// last in the text, it returns none.
func wrapping(err error) string {
	echo := err
	for {
		inner := errors.Unwrap(echo)
		if _, ok := echo.(*task.Canceled); ok || inner == nil {
			break
		}
		echo = inner
	}
	words, last := strings.CutSuffix(err.Error(), echo.Error())
	if !last {
		return ""
	}
	return words
}
