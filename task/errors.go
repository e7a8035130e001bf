// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"baton/internal/stack"
	"baton/loop"
)

// ErrGoexit is the error of a task whose function ended by runtime.Goexit, as
// t.FailNow does. It fails the task's scope like any other error; if the task
// is that of main, Run does not return it but ends its own caller by Goexit.
var ErrGoexit = errors.New("task: ended by runtime.Goexit")

// ErrNotDone is returned by Result of a future or task that has none yet.
var ErrNotDone = errors.New("task: not done")

// ErrClosed is the error of a function that did not begin because its portal,
// or the portal's loop, was closed.
var ErrClosed = errors.New("task: portal closed")

// Canceled is what every switch point returns after the scope, timeout or task
// it belongs to was cancelled. errors.Is finds context.DeadlineExceeded in it
// if a deadline was the cause, and context.Canceled otherwise; never both,
// whatever the cause holds besides. It is a net.Error, which tells the same.
type Canceled struct {
	Scope fmt.Stringer // what was cancelled; nil for a context of the standard library
	Cause error        // why; never nil

	origin   *node // what was cancelled; nil for a context of the standard library
	made     bool  // by newCanceled, which has decided the next two
	deadline bool  // it stands for context.DeadlineExceeded
	veiled   bool  // the cause holds the sentinel that it does not stand for
}

// newCanceled describes the cancel of origin, or of a standard context if that
// is nil. A cancel is one Canceled for everything that it reaches, so that it
// can be told from another one by its address, and a scope of many tasks makes
// only one.
func newCanceled(origin *node, cause error) *Canceled {
	if cause == nil {
		cause = context.Canceled
	}
	c := &Canceled{Cause: cause, origin: origin, made: true}
	if origin != nil {
		c.Scope = origin
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		c.standFor(context.DeadlineExceeded)
	}
	return c
}

// standFor decides which sentinel c stands for, before anybody has c. The cause
// is asked for the other one here and not in Unwrap: causes are cancels
// themselves, and each would ask all below it anew.
func (c *Canceled) standFor(sentinel error) {
	c.deadline = sentinel == context.DeadlineExceeded
	c.veiled = errors.Is(c.Cause, c.other())
}

// kind is what standFor has decided. One that somebody has written down, as for
// a test, is asked each time, for it must not be changed: other goroutines may
// have it.
func (c *Canceled) kind() (deadline, veiled bool) {
	if c.made {
		return c.deadline, c.veiled
	}
	deadline = errors.Is(c.Cause, context.DeadlineExceeded)
	return deadline, deadline && errors.Is(c.Cause, context.Canceled)
}

// foreignCanceled describes the cancel of a context of the standard library.
// ctx.Err decides about the deadline, not the cause: a program may give any
// cause to a timeout, and DeadlineExceeded to a plain cancel.
func foreignCanceled(ctx context.Context) *Canceled {
	c := newCanceled(nil, context.Cause(ctx))
	c.standFor(ctx.Err())
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

// Timeout reports whether a deadline was the cause. Whoever looks for a
// net.Error finds this one, and not a sentinel in the cause.
func (c *Canceled) Timeout() bool {
	deadline, _ := c.kind()
	return deadline
}

// Temporary is false: a cancel stays. Calling again what has returned it, as
// servers do after a temporary error of package net, would be in vain.
func (c *Canceled) Temporary() bool { return false }

// Unwrap returns the cause. If that holds the sentinel that this cancel does not
// stand for, it comes behind a veil: whoever asks for both must not be told
// both. Whatever else it holds is found.
func (c *Canceled) Unwrap() error {
	if _, veiled := c.kind(); veiled {
		return &veil{c.Cause, c.other()}
	}
	return c.Cause
}

func (c *Canceled) sentinel() error {
	if deadline, _ := c.kind(); deadline {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// other is the sentinel that c does not stand for.
func (c *Canceled) other() error {
	if deadline, _ := c.kind(); deadline {
		return context.Canceled
	}
	return context.DeadlineExceeded
}

// A veil is a cause in which one error is not found. It has no Unwrap, which
// would lead there.
type veil struct{ cause, hidden error }

func (v *veil) Error() string        { return v.cause.Error() }
func (v *veil) Is(target error) bool { return target != v.hidden && errors.Is(v.cause, target) }
func (v *veil) As(target any) bool   { return errors.As(v.cause, target) }

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
	l.CallExceptionHandler(loop.Exception{
		Message: p.Task + " panicked",
		Err:     fmt.Errorf("%v", p.Value),
		Stack:   p.Stack,
	})
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

// untouched reports whether without, which has made rest of err, has dropped
// nothing. Errors of types that cannot be compared are no joins, and wrap no echo.
func untouched(rest, err error) bool {
	return reflect.TypeOf(rest) == reflect.TypeOf(err) && (!reflect.ValueOf(err).Comparable() || rest == err)
}

// without returns err less what is only the echo of a cancel, and nil if
// nothing else is left. An echo is a Canceled of which own is true, wrapped or
// joined, and, if c is not nil, the bare sentinel that c stands for, or c's cause,
// wrapped or joined: code that asked ctx.Err or context.Cause returns those and
// can say no more (net/http wraps the cause). An error that says of itself that
// it is the sentinel (Is), and wraps none, is somebody's own, as that of
// await.Timeout, and no echo. Nor is a panic ever, even if it panicked with one.
// What is left of joined errors is joined anew only if some of them were dropped;
// otherwise err comes back as it was.
func without(err error, c *Canceled, own func(*Canceled) bool) error {
	if _, ok := err.(*PanicError); ok {
		return err // whatever it panicked with
	}
	if err == nil || c != nil && same(err, c.Cause) {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var kept []error
		whole := true
		for _, e := range joined.Unwrap() {
			rest := without(e, c, own)
			whole = whole && untouched(rest, e)
			if rest != nil {
				kept = append(kept, rest)
			}
		}
		switch {
		case len(kept) == 0:
			return nil
		case whole:
			return err
		case len(kept) == 1:
			return kept[0]
		}
		return errors.Join(kept...)
	}
	if echo, ok := err.(*Canceled); ok {
		if own(echo) {
			return nil
		}
		return err
	}
	if c != nil && err == c.sentinel() {
		return nil
	}
	if inner := errors.Unwrap(err); inner != nil && without(inner, c, own) == nil {
		return nil
	}
	return err
}
