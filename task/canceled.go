// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Canceled is the error that every switch point returns after its scope, timeout or task
// was cancelled. errors.Is reports that it is context.DeadlineExceeded if a deadline was
// the cause, and context.Canceled otherwise; errors.Is never reports both. Canceled
// implements net.Error. Only this package makes Canceled values.
type Canceled struct {
	Scope fmt.Stringer // what was cancelled; nil for a context of the standard library
	Cause error        // why; never nil

	deadline   bool // it stands for context.DeadlineExceeded instead of context.Canceled
	hidesCause bool // Unwrap returns nil

	when time.Duration // the loop's age at the cancel, or 0 if unknown; belongs to the loop
}

// newCanceled makes the error for a cancel of scope, or of a context of the standard library if
// scope is nil. All nodes that one cancel reaches share one Canceled: comparing the
// pointers tells whether two cancels are the same.
func newCanceled(scope fmt.Stringer, cause error) *Canceled {
	if cause == nil {
		cause = context.Canceled
	}
	c := &Canceled{Scope: scope, Cause: cause}
	c.standFor(errors.Is(cause, context.DeadlineExceeded))
	return c
}

// standFor sets the sentinel that c stands for, and hides the cause if it contains the
// other sentinel. The search happens once, here: causes are often cancels themselves, and
// a search in Unwrap would go through all of them at each level.
func (c *Canceled) standFor(deadline bool) {
	other := context.DeadlineExceeded
	if deadline {
		other = context.Canceled
	}
	c.deadline = deadline
	c.hidesCause = errors.Is(c.Cause, other)
}

// foreignCanceled makes the error for a cancel of ctx, a context of the standard library.
// ctx.Err decides whether a deadline was the cause, and not context.Cause: a program may
// give any cause to a timeout, and DeadlineExceeded to a plain cancel.
func foreignCanceled(ctx context.Context) *Canceled {
	c := newCanceled(nil, context.Cause(ctx))
	c.standFor(ctx.Err() == context.DeadlineExceeded)
	return c
}

// released is the cancel of every timeout block, shield, scope or task that has ended. It
// ends the waits that are still under its context.
var released = newCanceled(nil, context.Canceled)

// Error says what was cancelled and why.
func (c *Canceled) Error() string {
	if c.Scope == nil {
		return "task: canceled: " + c.Cause.Error()
	}
	return fmt.Sprintf("task: %v canceled: %v", c.Scope, c.Cause)
}

// Is reports whether target is the sentinel that c stands for.
func (c *Canceled) Is(target error) bool { return target == c.sentinel() }

// Timeout reports whether a deadline was the cause.
func (c *Canceled) Timeout() bool { return c.deadline }

// Temporary returns false: a cancel is final.
func (c *Canceled) Temporary() bool { return false }

// Unwrap returns the cause. It returns nil if the cause contains the sentinel that c does
// not stand for.
func (c *Canceled) Unwrap() error {
	if c.hidesCause {
		return nil
	}
	return c.Cause
}

func (c *Canceled) sentinel() error {
	if c.deadline {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// matches reports whether err is c, or what a context cancelled by c returns: the sentinel
// (ctx.Err) or the cause (context.Cause).
func (c *Canceled) matches(err error) bool {
	return err == error(c) || err == c.sentinel() || same(err, c.Cause)
}

// isOnly reports whether err contains nothing but errors for which is returns true: err is
// such an error, wraps a single one, or joins only such errors. It returns false for a
// panic, whatever its value. It does not look at the cause of a Canceled.
func isOnly(err error, is func(error) bool) bool {
	if _, panicked := err.(*PanicError); panicked || err == nil {
		return false
	}
	if is(err) {
		return true
	}
	switch e := err.(type) {
	case *Canceled:
		return false
	case interface{ Unwrap() []error }:
		more := func(part error) bool { return !isOnly(part, is) }
		return len(e.Unwrap()) > 0 && !slices.ContainsFunc(e.Unwrap(), more)
	}
	return isOnly(errors.Unwrap(err), is)
}

// same reports whether a and b are the same error. Errors of types that cannot be
// compared, such as slices, are never the same.
func same(a, b error) bool {
	defer func() { recover() }()
	return a == b
}
