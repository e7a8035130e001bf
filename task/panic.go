// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"slices"

	"baton/loop"
)

// A PanicError is the error of a task whose function panicked. Run panics with
// it in the end, so that no crash is hidden. What it tells never changes, so
// every goroutine may read it.
type PanicError struct {
	Value any    // what the task panicked with
	Stack []byte // the task's own stack at that moment
	Task  string // which task it was

	reported bool // an exception handler was told
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

// cause is the value of the panic as an error, as the loop has it for a callback's
// panic: errors.Is works on it.
func (p *PanicError) cause() error {
	if err := p.Unwrap(); err != nil {
		return err
	}
	return fmt.Errorf("%v", p.Value)
}

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
		l.CallSoon(func() { p.callHandler(l) })
	} else {
		p.callHandler(l)
	}
}

// tell calls the handler, now. Of two reports that were queued only the first
// one does.
func (p *PanicError) callHandler(l *loop.Loop) {
	if p.reported {
		return
	}
	p.reported = true
	l.CallExceptionHandler(loop.Exception{Message: p.Task + " panicked", Err: p.cause(), Stack: p.Stack})
}

func (p *PanicError) owned() bool { return p.reported }

// keep adds x to a list of those that may still need an owner. What has one leaves
// when the list would grow.
func appendUnowned[T interface{ owned() bool }](list []T, x T) []T {
	if len(list) == cap(list) {
		list = slices.DeleteFunc(list, T.owned)
	}
	return append(list, x)
}
