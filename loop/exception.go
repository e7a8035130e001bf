// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"log"
	"runtime/debug"

	"baton/internal/stack"
)

// An Exception is an error without another owner: a callback panicked, or the result of a
// panicked task was dropped. PEP 3156 calls it the context of an exception handler.
type Exception struct {
	Message string
	Err     error   // the error; if a panic value is no error, a description of it
	Handle  *Handle // the callback that failed, or nil
	Stack   []byte  // the stack of the panic, or nil
}

// String returns the report that the default handler logs.
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

// SetExceptionHandler sets the function that receives exceptions. If fn is nil, exceptions
// are logged, which is the default. The loop calls fn with the baton, and fn must not
// switch. If fn panics, the panic is logged together with the exception, and the loop goes
// on. SetExceptionHandler is safe for concurrent use.
func (l *Loop) SetExceptionHandler(fn func(*Loop, Exception)) {
	l.handlerMu.Lock()
	defer l.handlerMu.Unlock()
	l.handler = fn
}

// CallExceptionHandler calls the exception handler with e, and returns when the handler has
// returned. It never switches. Only the holder may call it, so the handler may use the
// loop. CallExceptionHandler does not check this.
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
			log.Printf("loop: the exception handler panicked: %v\n%s\nThe handler was called for: %v", v, debug.Stack(), e)
		}
	}()
	fn(l, e)
}

// call runs a callback. A panic goes to the exception handler, and the loop goes on; a
// chain of CallRepeatedly ends. A Goexit ends the chain too, and unwinds the caller of Run:
// t.FailNow needs this. The next Run then runs the rest of the turn.
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

// panicked makes the exception for a recovered value v. Call it in the deferred function
// that recovered, because the stack of the panic is only available there.
func panicked(what string, v any) Exception {
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	return Exception{Message: "loop: " + what + " panicked", Err: err, Stack: stack.OfPanic()}
}
