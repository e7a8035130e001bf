// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"sync/atomic"
	"syscall"

	"baton/internal/stack"
	"baton/loop/poll"
	"baton/task"
)

// A hook is a Control function of the user, as the poller calls it. A panic would
// leave the poller with half a socket, or end the task that happens to drive the loop
// while the dialing task waits. So the poller gets an error, and rethrow panics.
type hook struct {
	fn       func(network, address string, c syscall.RawConn) error
	panicked atomic.Pointer[task.PanicError] // the last one
}

var errPanicked = errors.New("netio: Control panicked")

// control sets fn as the Control function of o. It returns nil if fn is nil.
func control(o *poll.SocketOptions, fn func(network, address string, c syscall.RawConn) error) *hook {
	if fn == nil {
		return nil
	}
	h := &hook{fn: fn}
	o.Control = h.call
	return h
}

// call calls the function. Any goroutine may call it.
func (h *hook) call(network, address string, c syscall.RawConn) (err error) {
	defer func() {
		if v := recover(); v != nil {
			what := "Control for " + network + " " + address
			h.panicked.Store(&task.PanicError{Value: v, Stack: stack.OfPanic(), Task: what})
			err = errPanicked
		}
	}()
	return h.fn(network, address, c)
}

// rethrow panics if the function has. The task that has made the call calls it, once
// the poller is done. close is called before a panic.
func (h *hook) rethrow(close func()) {
	if h == nil {
		return
	}
	if p := h.panicked.Load(); p != nil {
		close()
		panic(p)
	}
}
