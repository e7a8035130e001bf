// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton/internal/stack"
	"baton/loop"
)

// ErrGoexit is the error of a task whose function ended by runtime.Goexit, as
// t.FailNow does. It always fails the task's scope. If the task is that of main, Run
// does not return it but ends its own caller by Goexit.
var ErrGoexit = errors.New("task: ended by runtime.Goexit")

// ErrNotDone is returned by Result of a future or task that has none yet.
var ErrNotDone = errors.New("task: not done")

// ErrClosed is the error of a function that did not begin because its portal,
// or the portal's loop, was closed.
var ErrClosed = errors.New("task: portal closed")

// Canceled is what every switch point returns after the scope, timeout or task
// it belongs to was cancelled. errors.Is finds context.DeadlineExceeded in it if a
// deadline was the cause, and context.Canceled otherwise; it never finds both. A
// Canceled is a net.Error. Only this package makes one.
type Canceled struct {
	Scope fmt.Stringer // what was cancelled; nil for a context of the standard library
	Cause error        // why; never nil

	deadline bool // it stands for context.DeadlineExceeded, and not for context.Canceled
	opaque   bool // Unwrap returns nil

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
	c.opaque = errors.Is(c.Cause, other)
}

// foreignCanceled describes the cancel of a context of the standard library.
// ctx.Err decides about the deadline, not the cause: a program may give any
// cause to a timeout, and DeadlineExceeded to a plain cancel.
func foreignCanceled(ctx context.Context) *Canceled {
	c := newCanceled(nil, context.Cause(ctx))
	c.standFor(ctx.Err() == context.DeadlineExceeded)
	return c
}

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
	if c.opaque {
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
func only(err error, is func(error) bool) bool {
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
		more := func(part error) bool { return !only(part, is) }
		return len(e.Unwrap()) > 0 && !slices.ContainsFunc(e.Unwrap(), more)
	}
	return only(errors.Unwrap(err), is)
}

// same reports whether two errors are one and the same. Errors of types that cannot be
// compared, such as slices, never are.
func same(a, b error) bool {
	defer func() { recover() }()
	return a == b
}

// A PanicError is the error of a task whose function panicked. Run panics with
// it in the end, so that no crash is hidden. What it tells never changes, so
// every goroutine may read it.
type PanicError struct {
	Value any    // what the task panicked with
	Stack []byte // the task's own stack at that moment
	Task  string // which task it was

	reported bool // an exception handler was told
}

// newPanicError is called by the deferred function that has recovered v: the
// stack below it is still that of the panic. The baton remembers the panic
// until somebody has reported it, so that one which is dropped on the way is
// not lost.
func newPanicError(r *Ref, v any) *PanicError {
	p := &PanicError{Value: v, Stack: stack.OfPanic(), Task: r.String()}
	r.b.panics = keep(r.b.panics, p)
	return p
}

func (p *PanicError) owned() bool { return p.reported }

// keep adds x to a list of those that may still need an owner. What has one leaves
// when the list would grow.
func keep[T interface{ owned() bool }](list []T, x T) []T {
	if len(list) == cap(list) {
		list = slices.DeleteFunc(list, T.owned)
	}
	return append(list, x)
}

// panicIn returns the panic that err holds, or nil. That for which somebody was
// cancelled is the cause of a cancel, and in the hands of another task.
func panicIn(err error) *PanicError {
	switch e := err.(type) {
	case *PanicError:
		return e
	case *Canceled:
		return nil
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if p := panicIn(inner); p != nil {
				return p
			}
		}
	case interface{ Unwrap() error }:
		return panicIn(e.Unwrap())
	}
	return nil
}

// Report gives the panic to the exception handler of the calling task's loop,
// for whoever handles the error of a task without passing it on. A panic is
// reported once. It does not switch: the handler runs later, as a callback of
// the loop.
func (p *PanicError) Report(ctx context.Context) { p.report(Loop(ctx)) }

// report is for the holder of the baton, or, after the loop has run, for the
// goroutine that ran it.
func (p *PanicError) report(l *loop.Loop) {
	if p.reported {
		return
	}
	if l.Held() {
		// As a callback, for the handler is a user's: on the goroutine of a task
		// that ends, its Goexit would leave the end half done. If the loop runs
		// no more, Run makes up for it.
		l.CallSoon(func() { p.tell(l) })
	} else {
		p.tell(l)
	}
}

// tell calls the handler, now. Of two reports that were queued only the first
// one does.
func (p *PanicError) tell(l *loop.Loop) {
	if p.reported {
		return
	}
	p.reported = true
	l.CallExceptionHandler(loop.Exception{Message: p.Task + " panicked", Err: p.cause(), Stack: p.Stack})
}

// cause is the value of the panic as an error, as the loop has it for a callback's
// panic: errors.Is works on it.
func (p *PanicError) cause() error {
	if err := p.Unwrap(); err != nil {
		return err
	}
	return fmt.Errorf("%v", p.Value)
}

// Error contains the stack: it is meant for people.
func (p *PanicError) Error() string {
	return fmt.Sprintf("task: %s panicked: %v\n\n%s", p.Task, p.Value, p.Stack)
}

// Unwrap returns the value of the panic if that is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// misuse panics with what somebody did to whom and what to do instead.
func misuse(format string, args ...any) {
	panic("task: " + fmt.Sprintf(format, args...))
}

// mustHave panics in the call that was given no function. The task would panic
// when it begins, and nobody could tell any more who started it.
func mustHave(fn bool, call string) {
	if !fn {
		misuse("%s of a nil function", call)
	}
}
