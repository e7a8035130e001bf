// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"slices"

	"baton/loop"
)

// A PanicError is the error of a task whose function panicked. Run panics with it after
// all tasks have ended, so that a crash is never hidden. Its fields never change, so every
// goroutine may read them.
type PanicError struct {
	Value any    // the value passed to panic
	Stack []byte // the stack of the task when it panicked
	Task  string // the task, as returned by Ref.String

	reported bool // an exception handler has received it
}

// Error returns a message for people, including the stack.
func (p *PanicError) Error() string {
	return fmt.Sprintf("task: %s panicked: %v\n\n%s", p.Task, p.Value, p.Stack)
}

// Unwrap returns the value of the panic if the value is an error, and nil otherwise.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// cause returns the value of the panic as an error, so that errors.Is works. The loop does
// the same for the panic of a callback.
func (p *PanicError) cause() error {
	if err := p.Unwrap(); err != nil {
		return err
	}
	return fmt.Errorf("%v", p.Value)
}

// report gives the panic to the exception handler of l, once. The caller holds the baton,
// or is the goroutine that ran the loop, after the loop has returned.
func (p *PanicError) report(l *loop.Loop) {
	if p.reported {
		return
	}
	if l.Held() {
		// The handler is code of the user and may call Goexit. On the goroutine of an
		// ending task, a Goexit would interrupt the end of the task, so a callback calls
		// the handler. If the loop never runs the callback, Run reports the panic.
		l.CallSoon(func() { p.callHandler(l) })
	} else {
		p.callHandler(l)
	}
}

// callHandler calls the exception handler now, unless an earlier report has called it.
func (p *PanicError) callHandler(l *loop.Loop) {
	if p.reported {
		return
	}
	p.reported = true
	l.CallExceptionHandler(loop.Exception{Message: p.Task + " panicked", Err: p.cause(), Stack: p.Stack})
}

func (p *PanicError) owned() bool { return p.reported }

// appendUnowned appends x to a list of errors or tasks that may still need an owner.
// Before the list grows, it removes the elements that have an owner.
func appendUnowned[T interface{ owned() bool }](list []T, x T) []T {
	if len(list) == cap(list) {
		list = slices.DeleteFunc(list, T.owned)
	}
	return append(list, x)
}
