// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// heldBytes is how much of a response is held until the handler returns, in bytes. A shorter
	// response gets a Content-Length. The number is the one in package net/http.
	heldBytes = 2048

	// outBytes is how many bytes out may have before it is sent.
	outBytes = 4096
)

// outBuffers is the pool of buffers. A response that has written has one until it ends.
var outBuffers = sync.Pool{New: func() any { return new(outBuffer) }}

// An outBuffer is the memory of a response.
type outBuffer struct {
	out  [2 * outBytes]byte
	held [heldBytes]byte
	sent [16]field
}

// A response is the http.ResponseWriter of a Server. Any task or goroutine may use it, one at a
// time, until the handler returns. Later calls fail.
type response struct {
	c              *conn
	req            *http.Request // points to handlerRequest
	handlerRequest http.Request  // what the handler gets
	body           body
	header         http.Header // for the handler; nil before Header

	status      int      // 0 before WriteHeader
	sent        fields   // the header at the time of WriteHeader
	trailer     []string // the names of the declared trailers
	length      int64    // the declared Content-Length, or -1
	written     int64    // bytes that the handler has written
	held        []byte   // written and not yet in out
	out         []byte   // bytes to send
	outBuf      *outBuffer
	begun       bool // the head is in out or was sent
	chunked     bool
	handlerDone bool        // the handler has returned
	ended       atomic.Bool // the response is complete; later calls fail
	hijacked    bool

	wants10    bool // the client uses HTTP/1.0 and wants to keep the connection
	wantsClose bool
	noKeep     bool // the server keeps no connections
	closeAfter bool
	fullDuplex bool
	err        error // of the connection; later writes are dropped
}

func newResponse(c *conn, parsed *http.Request, ctx context.Context) *response {
	w := &response{c: c, length: -1, handlerRequest: *parsed.WithContext(ctx)}
	w.req = &w.handlerRequest
	req := w.req
	w.body.w, w.body.request, w.body.inner, w.body.br = w, parsed, parsed.Body, c.br
	switch {
	case req.ContentLength == 0:
		w.body.err = io.EOF
	case req.ProtoAtLeast(1, 1) && wants(req.Header, "Expect", "100-continue"):
		w.body.expect = wantsContinue
	}
	if req.ContentLength != 0 {
		req.Body = &w.body
	}
	w.wants10 = req.ProtoMajor == 1 && req.ProtoMinor == 0 && wants(req.Header, "Connection", "keep-alive")
	w.noKeep = c.srv.DisableKeepAlives
	w.wantsClose = req.Close || wants(req.Header, "Connection", "close")
	return w
}

// Header returns the header of the response.
func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader sets the status and the header. A status below 200 is sent at once; another
// WriteHeader may follow it.
func (w *response) WriteHeader(code int) {
	switch {
	case w.ended.Load():
		w.c.logf("http: response.WriteHeader after the handler has returned")
		return
	case w.hijacked:
		w.c.logf("http: response.WriteHeader on hijacked connection")
		return
	case w.status != 0:
		w.c.logf("http: superfluous response.WriteHeader call")
		return
	case code < 100 || code > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	case code >= 100 && code < 200 && code != http.StatusSwitchingProtocols:
		w.writeInformational(code)
		return
	}
	w.body.beginResponse(w.c)
	w.status = code
	w.getBuffer()
	w.sent = snapshot(w.outBuf.sent[:0], w.header)
	if text := w.sent.get("Content-Length"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && n >= 0 {
			w.length = n
		} else {
			w.c.logf("http: invalid Content-Length of %q", text)
			w.sent.drop("Content-Length")
		}
	}
}

// writeInformational sends a response of status 1xx.
func (w *response) writeInformational(code int) {
	if code == http.StatusContinue {
		w.body.mu.Lock()
		if w.body.expect == wantsContinue {
			w.body.expect = continued
		}
		w.body.mu.Unlock()
	}
	if !w.req.ProtoAtLeast(1, 1) {
		return
	}
	w.getBuffer()
	sent := snapshot(w.outBuf.sent[:0], w.header)
	sent.drop("Content-Length")
	sent.drop("Transfer-Encoding")
	w.statusLine(code)
	w.fields(sent)
	w.out = append(w.out, "\r\n"...)
	w.flush()
}

// Write sends p or buffers it.
func (w *response) Write(p []byte) (int, error) { return write(w, p) }

// WriteString is Write for a string.
func (w *response) WriteString(s string) (int, error) { return write(w, s) }

func write[S []byte | string](w *response, p S) (int, error) {
	switch {
	case w.ended.Load():
		return 0, errHandlerReturned
	case w.hijacked:
		return 0, http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.written += int64(len(p))
	switch {
	case len(p) == 0:
		return 0, nil
	case !bodyAllowed(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written > w.length:
		return 0, http.ErrContentLength
	}
	n := len(p)
	w.getBuffer()
	for len(p) > heldBytes-len(w.held) {
		if len(w.held) == 0 {
			w.writeBody([]byte(p))
			return n, w.err
		}
		k := heldBytes - len(w.held)
		w.held = append(w.held, p[:k]...)
		w.writeBody(w.held)
		w.held, p = w.held[:0], p[k:]
	}
	w.held = append(w.held, p...)
	return n, w.err
}

// writeBody sends p, a part of the body, and before it the head if that was not sent.
func (w *response) writeBody(p []byte) {
	if !w.begun {
		w.begin(p)
	}
	w.writeChunk(p)
}

// writeChunk appends p, a part of the body, to out, and sends out if it is long enough.
func (w *response) writeChunk(p []byte) {
	n := len(p)
	if n == 0 || w.req.Method == "HEAD" || w.err != nil {
		return
	}
	if w.chunked {
		w.out = strconv.AppendInt(w.out, int64(n), 16)
		w.out = append(w.out, "\r\n"...)
	}
	if n >= outBytes {
		w.setErr(w.c.write(w.out, p))
		w.out = w.out[:0]
	} else {
		w.out = append(w.out, p...)
	}
	if w.chunked {
		w.out = append(w.out, "\r\n"...)
	}
	if len(w.out) >= outBytes {
		w.flush()
	}
}

// Flush sends what was written.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush with an error, for http.ResponseController.
func (w *response) FlushError() error {
	switch {
	case w.ended.Load():
		return errHandlerReturned
	case w.hijacked:
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun || len(w.held) > 0 {
		w.writeBody(w.held)
		w.held = w.held[:0]
	}
	w.flush()
	return w.err
}

func (w *response) flush() {
	if len(w.out) > 0 && w.err == nil {
		w.setErr(w.c.write(w.out))
	}
	w.out = w.out[:0]
}

// getBuffer gets the memory of the response from the pool.
func (w *response) getBuffer() {
	if w.outBuf == nil {
		w.outBuf = outBuffers.Get().(*outBuffer)
		w.out, w.held = w.outBuf.out[:0], w.outBuf.held[:0]
	}
}

func (w *response) setErr(err error) {
	if w.err == nil {
		w.err = err
	}
}

// finish completes the response after the handler has returned.
func (w *response) finish() {
	w.handlerDone = true
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun || len(w.held) > 0 {
		w.writeBody(w.held)
		w.held = w.held[:0]
	}
	if w.chunked && w.req.Method != "HEAD" {
		w.out = append(w.out, "0\r\n"...)
		w.trailers()
		w.out = append(w.out, "\r\n"...)
	}
	w.flush()
	if w.req.Method != "HEAD" && bodyAllowed(w.status) && w.length >= 0 && w.written != w.length {
		w.closeAfter = true // the client waits for more bytes
	}
	if !w.closeAfter && !w.body.drain() {
		w.closeAfter = true
	}
	if w.closeAfter && !w.body.atEOF() {
		w.c.lingering = true
	}
}

// abort ends the response of a handler that has panicked. It sends what is in out, as package
// net/http does.
func (w *response) abort() {
	if w.begun {
		w.flush()
	}
}

// end ends the request. It releases the memory, and makes later calls of the handler's tasks and
// goroutines fail.
func (w *response) end() {
	w.ended.Store(true)
	if w.body.end() {
		w.c.br = nil // a goroutine is still reading with it
	}
	if w.outBuf != nil {
		clear(w.outBuf.sent[:])
		outBuffers.Put(w.outBuf)
		w.out, w.held, w.sent, w.outBuf = nil, nil, nil, nil
	}
	if w.req.MultipartForm != nil {
		_ = w.req.MultipartForm.RemoveAll()
	}
}

// errHandlerReturned is returned by calls that come after the handler.
var errHandlerReturned = errors.New("httpio: the handler of this request has returned")

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	if w.ended.Load() {
		return errHandlerReturned
	}
	w.c.deadline = t
	return w.c.nc.SetReadDeadline(t)
}

func (w *response) SetWriteDeadline(t time.Time) error {
	if w.ended.Load() {
		return errHandlerReturned
	}
	w.c.writeDeadline = true
	return w.c.nc.SetWriteDeadline(t)
}

func (w *response) EnableFullDuplex() error {
	if w.ended.Load() {
		return errHandlerReturned
	}
	w.fullDuplex = true
	return nil
}

// Hijack returns the connection. The caller must close it; a panic of the handler closes it, too.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case w.ended.Load():
		return nil, nil, errHandlerReturned
	case w.hijacked:
		return nil, nil, http.ErrHijacked
	}
	w.body.beginResponse(w.c)
	if w.status != 0 { // some libraries write the status 101 first
		_ = w.FlushError()
	}
	w.hijacked = true
	return w.c.hijack()
}
