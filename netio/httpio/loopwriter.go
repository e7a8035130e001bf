// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"baton/task"
)

// An answer is what a loopRequest has written. Tasks use it one at a time; the goroutine of
// package net/http, while they wait for it.
type writerState struct {
	busy      bool           // a task is in a call of the writer
	waitQueue task.WaitQueue // of others

	status    int   // 0 before WriteHeader
	length    int64 // what the handler has declared; -1 if it has not
	written   int64 // bytes of the handler
	held      []byte
	buf       *outBuffer // has held, or is nil
	hijacked  bool
	truncated bool // a Write was lost
}

// Header returns the header of the answer, which is that of package net/http.
func (lr *loopRequest) Header() http.Header { return lr.w.Header() }

// alone calls fn, which uses the answer, while no other task does.
func (lr *loopRequest) exclusive(fn func() error) error {
	if caller, ctx := lr.home.Running(); caller != nil {
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
		return errOver
	case lr.hijacked:
		return http.ErrHijacked
	}
	return fn()
}

// send does what sends a part of the answer.
func (lr *loopRequest) send(fn func() error) error {
	return lr.do("the client to take an answer", lr.stopWriting, fn)
}

// lose notes that a part of the answer is lost if err, of a Write, is that of a cancel.
// Package net/http does not know of it.
func (lr *loopRequest) noteLost(err error) error {
	if _, canceled := err.(*task.Canceled); canceled && !lr.ended.Load() {
		lr.truncated = true
	}
	return err
}

func (lr *loopRequest) stopWriting() { _ = http.NewResponseController(lr.w).SetWriteDeadline(longAgo) }

func (lr *loopRequest) stopReading() { _ = http.NewResponseController(lr.w).SetReadDeadline(longAgo) }

// WriteHeader decides the status and the header. A status below 200 is sent at once, and
// another one follows.
func (lr *loopRequest) WriteHeader(code int) {
	_ = lr.exclusive(func() error { return lr.writeHeader(code) })
}

// writeHeader is WriteHeader for who is alone. A final status goes nowhere yet, and does not
// wait; unless the client has been promised a status 100, which another task may be sending.
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

// decided notes what was decided by a WriteHeader.
func (lr *loopRequest) noteStatus(code int) {
	lr.status = code
	if n, err := strconv.ParseInt(lr.w.Header().Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		lr.length = n
	}
}

// Write sends p, or holds it for a moment.
func (lr *loopRequest) Write(p []byte) (n int, err error) {
	err = lr.exclusive(func() error {
		if n, err = hold(lr, p); n == len(p) || err != nil {
			return err
		}
		n, err = lr.writeThrough(func() (int, error) { return lr.w.Write(p) })
		return err
	})
	return n, lr.noteLost(err)
}

// WriteString is Write for a string.
func (lr *loopRequest) WriteString(s string) (n int, err error) {
	err = lr.exclusive(func() error {
		if n, err = hold(lr, s); n == len(s) || err != nil {
			return err
		}
		n, err = lr.writeThrough(func() (int, error) { return io.WriteString(lr.w, s) })
		return err
	})
	return n, lr.noteLost(err)
}

// keep holds a short p, if nothing can be wrong with it. Package net/http has
// pieces of the same lengths, or longer ones, in its own buffer.
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
	case !bodyAllowed(lr.status) || lr.length >= 0 && lr.written > lr.length: // package net/http says so
		return 0, nil
	case lr.buf == nil:
		lr.buf = outBuffers.Get().(*outBuffer)
		lr.held = lr.buf.out[:0]
	}
	lr.held = append(lr.held, p...)
	return len(p), nil
}

// hand has package net/http write what is held, and then more.
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

// push gives what is held to package net/http. The pieces are no longer than its shortest
// buffer, so that it sends what it would have sent without this one.
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

// FlushError is Flush, for http.ResponseController.
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

// Push is that of an http.Pusher, under HTTP/2.
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

// control changes the connection, also while tasks read and write.
func (lr *loopRequest) control(fn func(rc *http.ResponseController) error) error {
	return lr.do("a change of its connection", nil, func() error { return fn(http.NewResponseController(lr.w)) })
}
