// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"baton/task"
)

// An answer is what a visitor has written. Tasks use it one at a time; the goroutine of
// package net/http, while they wait for it.
type answer struct {
	busy bool           // a task is in a call of the writer
	line task.WaitQueue // of others

	status   int   // 0 before WriteHeader
	length   int64 // what the handler has declared; -1 if it has not
	written  int64 // bytes of the handler
	held     []byte
	buf      *outBuffer // has held, or is nil
	hijacked bool
	cut      bool // a Write was lost
}

// Header returns the header of the answer, which is that of package net/http.
func (v *visitor) Header() http.Header { return v.w.Header() }

// alone calls fn, which uses the answer, while no other task does.
func (v *visitor) alone(fn func() error) error {
	if caller, ctx := v.home.Running(); caller != nil {
		if v.busy {
			if err := v.line.Wait(ctx, task.Text("another task's call of the ResponseWriter")); err != nil {
				return err
			}
		}
		v.busy = true
		defer func() { v.busy = v.line.WakeOne() != nil }()
	}
	switch {
	case v.over.Load():
		return errOver
	case v.hijacked:
		return http.ErrHijacked
	}
	return fn()
}

// send does what sends a part of the answer.
func (v *visitor) send(fn func() error) error {
	return v.do("the client to take an answer", v.stopWriting, fn)
}

// lose notes that a part of the answer is lost if err, of a Write, is that of a cancel.
// Package net/http does not know of it.
func (v *visitor) lose(err error) error {
	if _, canceled := err.(*task.Canceled); canceled && !v.over.Load() {
		v.cut = true
	}
	return err
}

func (v *visitor) stopWriting() { _ = http.NewResponseController(v.w).SetWriteDeadline(longAgo) }

func (v *visitor) stopReading() { _ = http.NewResponseController(v.w).SetReadDeadline(longAgo) }

// WriteHeader decides the status and the header. A status below 200 is sent at once, and
// another one follows.
func (v *visitor) WriteHeader(code int) {
	_ = v.alone(func() error { return v.writeHeader(code) })
}

// writeHeader is WriteHeader for who is alone. A final status goes nowhere yet, and does not
// wait; unless the client has been promised a status 100, which another task may be sending.
func (v *visitor) writeHeader(code int) error {
	final := code >= 200 || code == http.StatusSwitchingProtocols
	if final && v.r.Header["Expect"] == nil {
		v.w.WriteHeader(code)
	} else {
		err := v.send(func() error {
			v.w.WriteHeader(code)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if final && v.status == 0 {
		v.decided(code)
	}
	return nil
}

// decided notes what was decided by a WriteHeader.
func (v *visitor) decided(code int) {
	v.status = code
	if n, err := strconv.ParseInt(v.w.Header().Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		v.length = n
	}
}

// Write sends p, or holds it for a moment.
func (v *visitor) Write(p []byte) (n int, err error) {
	err = v.alone(func() error {
		if n, err = keep(v, p); n == len(p) || err != nil {
			return err
		}
		n, err = v.hand(func() (int, error) { return v.w.Write(p) })
		return err
	})
	return n, v.lose(err)
}

// WriteString is Write for a string.
func (v *visitor) WriteString(s string) (n int, err error) {
	err = v.alone(func() error {
		if n, err = keep(v, s); n == len(s) || err != nil {
			return err
		}
		n, err = v.hand(func() (int, error) { return io.WriteString(v.w, s) })
		return err
	})
	return n, v.lose(err)
}

// keep holds a short p, if nothing can be wrong with it. Package net/http has
// pieces of the same lengths, or longer ones, in its own buffer.
func keep[S []byte | string](v *visitor, p S) (n int, err error) {
	if v.status == 0 {
		if err := v.writeHeader(http.StatusOK); err != nil {
			return 0, err
		}
	}
	v.written += int64(len(p))
	switch {
	case len(p) > heldBytes || v.buf != nil && len(p) > cap(v.held)-len(v.held):
		return 0, nil
	case !bodyAllowed(v.status) || v.length >= 0 && v.written > v.length: // package net/http says so
		return 0, nil
	case v.buf == nil:
		v.buf = outBuffers.Get().(*outBuffer)
		v.held = v.buf.out[:0]
	}
	v.held = append(v.held, p...)
	return len(p), nil
}

// hand has package net/http write what is held, and then more.
func (v *visitor) hand(more func() (int, error)) (n int, err error) {
	err = v.send(func() error {
		if err := v.push(); err != nil {
			return err
		}
		n, err = more()
		return err
	})
	return n, err
}

// push gives what is held to package net/http. The pieces are no longer than its shortest
// buffer, so that it sends what it would have sent without this one.
func (v *visitor) push() (err error) {
	for held := v.held; len(held) > 0 && err == nil; {
		n := min(len(held), heldBytes)
		_, err = v.w.Write(held[:n])
		held = held[n:]
	}
	if v.buf != nil {
		outBuffers.Put(v.buf)
		v.buf, v.held = nil, nil
	}
	return err
}

// Flush sends what was written.
func (v *visitor) Flush() { _ = v.FlushError() }

// FlushError is Flush, for http.ResponseController.
func (v *visitor) FlushError() error {
	return v.alone(func() error {
		err := v.send(func() error {
			if err := v.push(); err != nil {
				return err
			}
			return http.NewResponseController(v.w).Flush()
		})
		if err == nil && v.status == 0 {
			v.decided(http.StatusOK)
		}
		return err
	})
}

// Push is that of an http.Pusher, under HTTP/2.
func (v *visitor) Push(target string, opts *http.PushOptions) error {
	return v.alone(func() error {
		p, ok := v.w.(http.Pusher)
		if !ok {
			return http.ErrNotSupported
		}
		return v.do("a push to the client", nil, func() error { return p.Push(target, opts) })
	})
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are for http.ResponseController.
func (v *visitor) SetReadDeadline(t time.Time) error {
	return v.control(func(rc *http.ResponseController) error { return rc.SetReadDeadline(t) })
}

func (v *visitor) SetWriteDeadline(t time.Time) error {
	return v.control(func(rc *http.ResponseController) error { return rc.SetWriteDeadline(t) })
}

func (v *visitor) EnableFullDuplex() error {
	return v.control((*http.ResponseController).EnableFullDuplex)
}

// control changes the connection, also while tasks read and write.
func (v *visitor) control(fn func(rc *http.ResponseController) error) error {
	return v.do("a change of its connection", nil, func() error { return fn(http.NewResponseController(v.w)) })
}
