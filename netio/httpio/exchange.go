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
	"net/http/httptrace"
	"os"
	"strings"
	"time"

	"baton/await"
	"baton/locks"
	"baton/loop"
	"baton/task"
)

// smallBody is the longest body, in bytes, that is sent before the response is read: the kernel
// takes it without a wait. Another task sends a longer body, because the server may answer
// meanwhile.
const smallBody = 32 << 10

// An exchange is one request and its response on a connection of a Transport.
type exchange struct {
	t        *Transport
	conn     *clientConn
	req      *http.Request
	ctx      context.Context // of the request
	task     *task.Ref       // the task that made the request
	br       *bufio.Reader
	headLeft int64 // bytes that the head of the response may still have; negative after the head

	responseBegan bool         // a byte of the response has arrived
	requestBegan  bool         // a byte of the request was sent
	writer        *task.Ref    // the task that sends the body, or nil
	written       locks.Event  // set when writer has ended
	sendErr       error        // of the connection, while sending
	readErr       error        // of the connection, while reading
	bodyErr       error        // of the request: its body failed, or it cannot be sent
	expect        expect       // of the request
	continueDone  locks.Event  // set when the wait for the status 100 is over
	bodyRefused   bool         // a final status came instead of the status 100
	timer         *loop.Handle // of ResponseHeaderTimeout
	headTimedOut  bool         // timer has closed the connection
	released      bool         // the connection was returned to the Transport or closed
	holdUpgraded  bool         // an upgraded connection gets its own task
}

// try sends a request on a connection, and reads the head of the response. With an error, it
// reports whether the request may be sent again because the server had closed a kept connection.
func (t *Transport) try(ctx context.Context, req *http.Request, r route, holdUpgraded bool) (_ *http.Response, again bool, _ error) {
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.addr)
	}
	c, err := t.get(ctx, r)
	if err != nil {
		closeBody(req)
		return nil, false, err
	}
	e := &exchange{t: t, conn: c, req: req, ctx: ctx, holdUpgraded: holdUpgraded, task: task.Self(ctx)}
	e.br = readers.Get().(*bufio.Reader)
	e.br.Reset(e)
	var resp *http.Response
	defer func() {
		if resp == nil { // an error, or a panic of the request's Body or of a hook of httptrace
			e.finish(false)
			e.putReader()
		}
	}()
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.stream.NetConn(ctx), Reused: c.reused, WasIdle: c.reused})
	}
	resp, err = e.run()
	if err != nil {
		resp = nil
		stale := c.reused && !e.responseBegan && e.bodyErr == nil && !e.headTimedOut && task.Check(ctx) == nil
		return nil, stale && (!e.requestBegan || isReplayable(req)), err
	}
	return resp, false, nil
}

func (e *exchange) run() (*http.Response, error) {
	unzip := e.asksForGzip()
	if e.t.ExpectContinueTimeout > 0 && hasBody(e.req) && wants(e.req.Header, "Expect", "100-continue") {
		e.expect = wantsContinue
	}
	if !hasBody(e.req) || e.isSmall() && e.expect == noContinue {
		e.write(e.ctx, unzip)
	} else {
		e.writer = task.Go(e.ctx, func(ctx context.Context) error {
			defer func() {
				e.writer = nil
				e.written.Set()
			}()
			e.write(ctx, unzip)
			return nil // an error is in sendErr or bodyErr, which the caller checks
		})
	}
	if e.bodyErr != nil {
		return nil, e.bodyErr
	}
	resp, err := e.head()
	if err != nil {
		return nil, e.readFailure(err)
	}
	if state := e.conn.stream.ConnectionState(); state.HandshakeComplete {
		resp.TLS = &state
	}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols && isUpgrade(resp.Header):
		resp.Body, err = e.upgrade()
		return resp, err
	case resp.Body == http.NoBody || resp.ContentLength == 0 || e.req.Method == "HEAD":
		keep := e.canKeep(resp)
		e.waitWritten(keep)
		e.finish(keep)
		e.putReader()
		resp.Body = http.NoBody
		return resp, nil
	}
	resp.Body = &responseBody{e: e, inner: resp.Body, keep: e.canKeep(resp)}
	if unzip && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		resp.Body = &gzipBody{body: resp.Body}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
		resp.Uncompressed = true
	}
	return resp, nil
}

// isSmall reports whether the body is short and in memory. A body that GetBody can repeat is in
// memory.
func (e *exchange) isSmall() bool {
	n := e.req.ContentLength
	return e.req.GetBody != nil && 0 < n && n <= smallBody
}

// readFailure returns the reason for err, an error of reading the response: the cancel, the
// timeout or the error that has closed the connection. Package net/http replaces some of these by
// its own errors.
func (e *exchange) readFailure(err error) error {
	if err == io.EOF && e.headLeft < 0 { // the end of the body
		return err
	}
	ctx, _ := e.readerContext()
	switch canceled := task.Check(ctx); {
	case canceled != nil:
		return canceled
	case e.bodyErr != nil:
		return e.bodyErr
	case e.headTimedOut:
		return errHeadTimeout
	case e.sendErr != nil && !e.responseBegan:
		return e.sendErr
	case e.readErr != nil && e.readErr != io.EOF:
		return e.readErr
	}
	return err
}

// A headTimeout is the error of Transport.ResponseHeaderTimeout.
type headTimeout struct{}

var errHeadTimeout net.Error = headTimeout{}

func (headTimeout) Error() string   { return "httpio: timeout awaiting response headers" }
func (headTimeout) Timeout() bool   { return true }
func (headTimeout) Temporary() bool { return true }
func (headTimeout) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded
}

// asksForGzip reports whether the Transport asks for a compressed body, which it then decompresses.
func (e *exchange) asksForGzip() bool {
	h := e.req.Header
	return !e.t.DisableCompression && h.Get("Accept-Encoding") == "" && h.Get("Range") == "" && e.req.Method != "HEAD"
}

// canKeep reports whether the connection may be kept after the response.
func (e *exchange) canKeep(resp *http.Response) bool {
	return !resp.Close && resp.StatusCode >= 200 && !e.req.Close && !hasToken(e.req.Header["Connection"], "close")
}

// readerContext returns the context for a read by the calling task: the request's context if the
// task made the request, and otherwise the task's own. If the request's context has ended, a task
// that did not make the request gets the cause as the error. A goroutine always gets an error.
func (e *exchange) readerContext() (context.Context, error) {
	switch r, own := e.task.Running(); {
	case r == nil:
		return nil, errors.New("httpio: a goroutine that is no task of the loop read the Body of a response; use Transport.Foreign")
	case r == e.task:
		return e.ctx, nil
	case e.ctx.Err() != nil && !e.task.Done():
		return own, context.Cause(e.ctx)
	default:
		return own, nil
	}
}

// Read reads from the connection. It makes the exchange the source of br.
func (e *exchange) Read(p []byte) (n int, err error) {
	ctx, err := e.readerContext()
	if err != nil {
		return 0, err
	}
	if e.headLeft == 0 {
		return 0, fmt.Errorf("httpio: the head of the response is longer than %d bytes", e.t.maxHeader())
	}
	if e.headLeft > 0 && int64(len(p)) > e.headLeft {
		p = p[:e.headLeft]
	}
	n, e.readErr = e.conn.stream.Read(ctx, p)
	if e.headLeft > 0 {
		e.headLeft -= int64(n)
	}
	e.responseBegan = e.responseBegan || n > 0
	return n, e.readErr
}

func (t *Transport) maxHeader() int64 {
	if t.MaxResponseHeaderBytes > 0 {
		return t.MaxResponseHeaderBytes
	}
	return maxResponseHeader
}

// head reads the head of the response. It skips responses with status 1xx; the limit is for all
// heads together.
func (e *exchange) head() (*http.Response, error) {
	e.headLeft = e.t.maxHeader()
	for {
		resp, err := http.ReadResponse(e.br, e.req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusContinue:
			e.continueDone.Set()
			continue
		case resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols:
			continue
		}
		e.headLeft = -1
		e.stopTimer()
		if e.expect == wantsContinue && !e.continueDone.IsSet() {
			e.bodyRefused = true
			e.continueDone.Set()
		}
		return resp, nil
	}
}

// startTimer starts ResponseHeaderTimeout. The request must have been sent.
func (e *exchange) startTimer() {
	if d := e.t.ResponseHeaderTimeout; d > 0 && e.headLeft >= 0 && !e.released {
		e.timer = e.t.loop.CallLater(d, func() {
			e.headTimedOut = true
			_ = e.conn.stream.Close()
		})
	}
}

func (e *exchange) stopTimer() {
	if e.timer != nil {
		e.timer.Cancel()
		e.timer = nil
	}
}

// writtenTime is how much later than the response the request may end if the connection is kept.
// The time is the one in package net/http.
const writtenTime = 50 * time.Millisecond

// waitWritten waits up to writtenTime until the task that sends the body has ended. The loop may
// learn that the response has arrived before it learns that the last bytes were sent.
func (e *exchange) waitWritten(keep bool) {
	if !keep || e.writer == nil {
		return
	}
	if ctx, err := e.readerContext(); err == nil {
		timed, release := await.WithTimeout(ctx, writtenTime)
		defer release()
		_ = e.written.Wait(timed) // after a timeout, finish still finds e.writer
	}
}

// finish returns the connection to the Transport. The Transport keeps it if keep is true and
// nothing of the exchange is left on it, and closes it otherwise.
func (e *exchange) finish(keep bool) {
	if e.released {
		return
	}
	e.released = true
	e.stopTimer()
	if w := e.writer; w != nil {
		w.Cancel(errAnswered) // the server does not need the rest of the body
		keep = false
	}
	if keep && e.sendErr == nil && e.bodyErr == nil && !e.bodyRefused && !e.headTimedOut && e.br.Buffered() == 0 {
		e.t.put(e.conn)
	} else {
		e.t.closeActive(e.conn)
	}
}

// errAnswered is the reason why the rest of a request's body is not sent.
var errAnswered = errors.New("httpio: the request is over")

// putReader returns the reader to the pool. No call may be reading.
func (e *exchange) putReader() {
	if e.br != nil {
		e.br.Reset(nil)
		readers.Put(e.br)
		e.br = nil
	}
}
