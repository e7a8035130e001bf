// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Canceled is what every switch point returns after the scope, timeout or task
// it belongs to was cancelled. errors.Is finds context.DeadlineExceeded in it if a
// deadline was the cause, and context.Canceled otherwise; it never finds both. A
// Canceled is a net.Error. Only this package makes one.
type Canceled struct {
	Scope fmt.Stringer // what was cancelled; nil for a context of the standard library
	Cause error        // why; never nil

	deadline   bool // it stands for context.DeadlineExceeded, and not for context.Canceled
	hidesCause bool // Unwrap returns nil

	when time.Duration // the loop's age when it came; 0 if that is not known. It belongs to the loop
}

// newCanceled describes the cancel of scope, or of a standard context if scope is nil. A cancel has one Canceled for everything that it reaches: its address tells it
// from other cancels, and a scope of many tasks makes only one.
func newCanceled(scope fmt.Stringer, cause error) *Canceled {
	if cause == nil {
		cause = context.Canceled
	}
	c := &Canceled{Scope: scope, Cause: cause}
	c.standFor(errors.Is(cause, context.DeadlineExceeded))
	return c
}

// standFor sets the sentinel that c stands for. The cause is searched for the other
// sentinel once, here: causes are often cancels themselves, and a search in Unwrap
// would go down all of them at each level.
func (c *Canceled) standFor(deadline bool) {
	other := context.DeadlineExceeded
	if deadline {
		other = context.Canceled
	}
	c.deadline = deadline
	c.hidesCause = errors.Is(c.Cause, other)
}

// foreignCanceled describes the cancel of a context of the standard library.
// ctx.Err decides about the deadline, not the cause: a program may give any
// cause to a timeout, and DeadlineExceeded to a plain cancel.
func foreignCanceled(ctx context.Context) *Canceled {
	c := newCanceled(nil, context.Cause(ctx))
	c.standFor(ctx.Err() == context.DeadlineExceeded)
	return c
}

// released is the cancel of a block, scope or task that has ended. What still waits
// under its context ends with it.
var released = newCanceled(nil, context.Canceled)

// Error says what was cancelled and why.
func (c *Canceled) Error() string {
	if c.Scope == nil {
		return "task: canceled: " + c.Cause.Error()
	}
	return fmt.Sprintf("task: %v canceled: %v", c.Scope, c.Cause)
}

// Is reports whether target is the sentinel that this cancel stands for.
func (c *Canceled) Is(target error) bool { return target == c.sentinel() }

// Timeout reports whether a deadline was the cause.
func (c *Canceled) Timeout() bool { return c.deadline }

// Temporary returns false: a cancel is final.
func (c *Canceled) Temporary() bool { return false }

// Unwrap returns the cause. It returns nil if errors.Is would find in the cause the
// sentinel that this cancel does not stand for.
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

// matches reports whether err is c, or what code gets that asks a context why it has
// ended: the sentinel (ctx.Err) or the cause (context.Cause).
func (c *Canceled) matches(err error) bool {
	return err == error(c) || err == c.sentinel() || same(err, c.Cause)
}

// only reports whether err says no more than that there was a cancel of which is is
// true: err is one, wraps one singly, or joins only such errors. A panic says more,
// whatever its value. What a Canceled was caused by is not asked.
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

// same reports whether two errors are one and the same. Errors of types that cannot be
// compared, such as slices, never are.
func same(a, b error) bool {
	defer func() { recover() }()
	return a == b
}
