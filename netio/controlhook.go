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

// A controlHook is the user's Control function as the poller calls it. If the function
// panics, the hook gives the poller an error, and rethrow panics later. Otherwise the panic
// would leave the poller with an incomplete socket. It could also end a task that only
// drives the loop while the dialing task waits.
type controlHook struct {
	fn       func(network, address string, c syscall.RawConn) error
	panicked atomic.Pointer[task.PanicError] // the last panic
}

var errPanicked = errors.New("netio: Control panicked")

// control sets fn as the Control function of o. It returns nil if fn is nil.
func control(o *poll.SocketOptions, fn func(network, address string, c syscall.RawConn) error) *controlHook {
	if fn == nil {
		return nil
	}
	h := &controlHook{fn: fn}
	o.Control = h.call
	return h
}

// call calls the function. It is safe for concurrent use.
func (h *controlHook) call(network, address string, c syscall.RawConn) (err error) {
	defer func() {
		if v := recover(); v != nil {
			what := "Control for " + network + " " + address
			h.panicked.Store(&task.PanicError{Value: v, Stack: stack.OfPanic(), Task: what})
			err = errPanicked
		}
	}()
	return h.fn(network, address, c)
}

// rethrow panics if the function has panicked; it calls close first. The task that made the
// call calls rethrow when the poller is done.
func (h *controlHook) rethrow(close func()) {
	if h == nil {
		return
	}
	if p := h.panicked.Load(); p != nil {
		close()
		panic(p)
	}
}
