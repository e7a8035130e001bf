// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"baton/task"
)

// A writerState is what the handler of a loopRequest has written. One task at a time uses it. The
// goroutine of package net/http uses it only while that task waits, or after the handler.
type writerState struct {
	busy      bool           // a task is in a call of the ResponseWriter
	waitQueue task.WaitQueue // other tasks that call it

	status    int   // 0 before WriteHeader
	length    int64 // the Content-Length that the handler has set, or -1
	written   int64 // bytes that the handler has written
	held      []byte
	buf       *outBuffer // the memory of held, or nil
	hijacked  bool
	truncated bool // data of a Write was lost
}

// Header returns the header of the response, which belongs to package net/http.
func (lr *loopRequest) Header() http.Header { return lr.w.Header() }

// exclusive calls fn while no other task is in exclusive. After the handler has returned, or after
// Hijack, it returns an error and does not call fn.
func (lr *loopRequest) exclusive(fn func() error) error {
	if caller, ctx := lr.task.Running(); caller != nil {
		if lr.busy {
			if err := lr.waitQueue.Wait(ctx, task.Text("another task's call of the ResponseWriter")); err != nil {
				return err
			}
		}
		lr.busy = true
		defer func() { lr.busy = lr.waitQueue.WakeOne() != nil }()
	}
	switch {
	case lr.ended.Load():
		return errHandlerReturned
	case lr.hijacked:
		return http.ErrHijacked
	}
	return fn()
}

// send offloads fn, which sends a part of the response.
func (lr *loopRequest) send(fn func() error) error {
	return lr.do("the client to read the response", lr.stopWriting, fn)
}

func (lr *loopRequest) stopWriting() { _ = http.NewResponseController(lr.w).SetWriteDeadline(longAgo) }

func (lr *loopRequest) stopReading() { _ = http.NewResponseController(lr.w).SetReadDeadline(longAgo) }

// WriteHeader sets the status and the header. A status below 200 is sent at once; another
// WriteHeader may follow it.
func (lr *loopRequest) WriteHeader(code int) {
	_ = lr.exclusive(func() error { return lr.writeHeader(code) })
}

// writeHeader is WriteHeader for callers inside exclusive. It does not wait if the status is final,
// because package net/http only keeps it. With the field Expect it may wait: another task's Read
// may be sending the status 100.
func (lr *loopRequest) writeHeader(code int) error {
	final := code >= 200 || code == http.StatusSwitchingProtocols
	if final && lr.r.Header["Expect"] == nil {
		lr.w.WriteHeader(code)
	} else {
		err := lr.send(func() error {
			lr.w.WriteHeader(code)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if final && lr.status == 0 {
		lr.noteStatus(code)
	}
	return nil
}

// noteStatus notes the status and the Content-Length at the first WriteHeader.
func (lr *loopRequest) noteStatus(code int) {
	lr.status = code
	if n, err := strconv.ParseInt(lr.w.Header().Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		lr.length = n
	}
}

// Write sends p or buffers it.
func (lr *loopRequest) Write(p []byte) (n int, err error) { return holdOrSend(lr, p, io.Writer.Write) }

// WriteString is Write for a string.
func (lr *loopRequest) WriteString(s string) (n int, err error) {
	return holdOrSend(lr, s, io.WriteString)
}

// holdOrSend buffers p, or sends what is held and then p. Through writes p to package net/http.
func holdOrSend[S []byte | string](lr *loopRequest, p S, through func(io.Writer, S) (int, error)) (n int, err error) {
	err = lr.exclusive(func() error {
		if n, err = hold(lr, p); n == len(p) || err != nil {
			return err
		}
		n, err = lr.writeThrough(func() (int, error) { return through(lr.w, p) })
		return err
	})
	if _, canceled := err.(*task.Canceled); canceled && !lr.ended.Load() {
		lr.truncated = true // package net/http does not know that a part of the response was lost
	}
	return n, err
}

// hold buffers p if p is short and package net/http cannot refuse it. It returns len(p) then, and 0
// otherwise.
func hold[S []byte | string](lr *loopRequest, p S) (n int, err error) {
	if lr.status == 0 {
		if err := lr.writeHeader(http.StatusOK); err != nil {
			return 0, err
		}
	}
	lr.written += int64(len(p))
	switch {
	case len(p) > heldBytes || lr.buf != nil && len(p) > cap(lr.held)-len(lr.held):
		return 0, nil
	case !bodyAllowed(lr.status) || lr.length >= 0 && lr.written > lr.length:
		return 0, nil // package net/http will return the error
	case lr.buf == nil:
		lr.buf = outBuffers.Get().(*outBuffer)
		lr.held = lr.buf.out[:0]
	}
	lr.held = append(lr.held, p...)
	return len(p), nil
}

// writeThrough writes what is held to package net/http, and then calls more.
func (lr *loopRequest) writeThrough(more func() (int, error)) (n int, err error) {
	err = lr.send(func() error {
		if err := lr.writeHeld(); err != nil {
			return err
		}
		n, err = more()
		return err
	})
	return n, err
}

// writeHeld writes what is held to package net/http. No piece is longer than the shortest buffer of
// package net/http, so that it sends the same chunks as without this buffer.
func (lr *loopRequest) writeHeld() (err error) {
	for held := lr.held; len(held) > 0 && err == nil; {
		n := min(len(held), heldBytes)
		_, err = lr.w.Write(held[:n])
		held = held[n:]
	}
	if lr.buf != nil {
		outBuffers.Put(lr.buf)
		lr.buf, lr.held = nil, nil
	}
	return err
}

// Flush sends what was written.
func (lr *loopRequest) Flush() { _ = lr.FlushError() }

// FlushError is Flush with an error, for http.ResponseController.
func (lr *loopRequest) FlushError() error {
	return lr.exclusive(func() error {
		err := lr.send(func() error {
			if err := lr.writeHeld(); err != nil {
				return err
			}
			return http.NewResponseController(lr.w).Flush()
		})
		if err == nil && lr.status == 0 {
			lr.noteStatus(http.StatusOK)
		}
		return err
	})
}

// Push implements http.Pusher, for HTTP/2.
func (lr *loopRequest) Push(target string, opts *http.PushOptions) error {
	return lr.exclusive(func() error {
		p, ok := lr.w.(http.Pusher)
		if !ok {
			return http.ErrNotSupported
		}
		return lr.do("a push to the client", nil, func() error { return p.Push(target, opts) })
	})
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are for http.ResponseController.
func (lr *loopRequest) SetReadDeadline(t time.Time) error {
	return lr.control(func(rc *http.ResponseController) error { return rc.SetReadDeadline(t) })
}

func (lr *loopRequest) SetWriteDeadline(t time.Time) error {
	return lr.control(func(rc *http.ResponseController) error { return rc.SetWriteDeadline(t) })
}

func (lr *loopRequest) EnableFullDuplex() error {
	return lr.control((*http.ResponseController).EnableFullDuplex)
}

// control offloads fn, which changes the connection, also while other tasks read and write.
func (lr *loopRequest) control(fn func(rc *http.ResponseController) error) error {
	return lr.do("a change of its connection", nil, func() error { return fn(http.NewResponseController(lr.w)) })
}
