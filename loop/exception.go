// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"log"
	"runtime/debug"

	"baton/internal/stack"
)

// An Exception is an error that has no caller to go to: a callback panicked, or
// somebody dropped a task's panic. PEP 3156 calls it the context of an
// exception handler.
type Exception struct {
	Message string
	Err     error   // what went wrong; for a panic whose value is no error, a description
	Handle  *Handle // the callback that failed, or nil
	Stack   []byte  // where it went wrong, or nil
}

// String is the report as the default handler logs it.
func (e Exception) String() string {
	s := e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if len(e.Stack) > 0 {
		s += "\n" + string(e.Stack)
	}
	return s
}

// SetExceptionHandler sets who is told about exceptions; nil restores the
// default, which logs. The handler is called with the baton and must not
// switch. A handler that panics is reported itself, with what it was given, and
// the loop goes on. Safe from every goroutine.
func (l *Loop) SetExceptionHandler(fn func(*Loop, Exception)) {
	l.handlerMu.Lock()
	defer l.handlerMu.Unlock()
	l.handler = fn
}

// CallExceptionHandler gives e to the exception handler. The handler runs in
// the call, which never switches. It belongs to the loop: the handler may use
// the loop in turn.
func (l *Loop) CallExceptionHandler(e Exception) {
	l.handlerMu.Lock()
	fn := l.handler
	l.handlerMu.Unlock()
	if fn == nil {
		log.Print(e)
		return
	}
	defer func() {
		if v := recover(); v != nil {
			log.Printf("loop: the exception handler panicked: %v\n%s\nit was handling: %v", v, debug.Stack(), e)
		}
	}()
	fn(l, e)
}

// call runs a callback on the loop's goroutine. A panic in it is an exception;
// the next callback runs as if nothing had happened, but a chain of
// CallRepeatedly ends. A Goexit ends that too, and passes through to whoever
// called Run, as t.FailNow needs it; the rest of the turn is left for the next
// Run.
func (l *Loop) call(r Runner) {
	returned := false
	l.calling = true
	defer func() {
		l.calling = false
		if returned {
			return
		}
		v := recover() // nil in Goexit
		h, ok := r.(*Handle)
		if ok {
			h.Cancel()
		}
		if v != nil {
			e := panicked(fmt.Sprintf("callback %v", r), v)
			e.Handle = h
			l.CallExceptionHandler(e)
		}
	}()
	r.Run()
	returned = true
}

// panicked is the exception for a recovered v. It is called by the deferred
// function, so that the stack still shows where.
func panicked(what string, v any) Exception {
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	return Exception{Message: "loop: " + what + " panicked", Err: err, Stack: stack.OfPanic()}
}
