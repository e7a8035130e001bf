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

// smallBody is up to where a body is sent before the response is read, in bytes: the
// kernel takes it without a wait. A longer one is sent by a task of its own, for the
// server may answer meanwhile.
const smallBody = 32 << 10

// An exchange is a request and its response, on a connection.
type exchange struct {
	t        *Transport
	conn     *clientConn
	req      *http.Request
	ctx      context.Context // of the request
	home     *task.Ref       // the task of the request
	br       *bufio.Reader
	headLeft int64 // bytes that the head of the response may still have; negative after it

	responseBegan bool         // a byte of the response has come
	requestBegan  bool         // a byte of the request has gone
	writer        *task.Ref    // sends the body, or nil
	written       locks.Event  // it has ended
	sendErr       error        // of the connection, for the request
	readErr       error        // of the connection, for the response
	bodyErr       error        // of the request: its body, or what cannot be sent
	expect        expect       // of the request
	continueDone  locks.Event  // the wait for the status 100 is over
	bodyRefused   bool         // since the server has answered: the body is not sent
	timer         *loop.Handle // of ResponseHeaderTimeout
	headTimedOut  bool         // it has closed the connection
	released      bool         // the connection was given back
	holdUpgraded  bool         // a task of its own keeps an upgraded connection
}

// try sends a request on a connection, and reads the head of the response. Beside an error
// it reports whether the request may be sent again: the server had closed a kept connection.
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
	e := &exchange{t: t, conn: c, req: req, ctx: ctx, holdUpgraded: holdUpgraded, home: task.Self(ctx)}
	e.br = readers.Get().(*bufio.Reader)
	e.br.Reset(e)
	var resp *http.Response
	defer func() {
		if resp == nil { // an error, or a panic of the request's body or trace
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
			return nil // the caller learns of an error by the response, or as the connection is closed
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

// isSmall reports whether the body is short and in memory, as one is that can be had again.
func (e *exchange) isSmall() bool {
	n := e.req.ContentLength
	return e.req.GetBody != nil && 0 < n && n <= smallBody
}

// why returns the reason for an error of reading: what has closed the connection. Package
// net/http hides some errors behind its own.
func (e *exchange) readFailure(err error) error {
	if err == io.EOF && e.headLeft < 0 { // the end of a body
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

// asksForGzip reports whether the transport asks for a compressed body, which it expands.
func (e *exchange) asksForGzip() bool {
	h := e.req.Header
	return !e.t.DisableCompression && h.Get("Accept-Encoding") == "" && h.Get("Range") == "" && e.req.Method != "HEAD"
}

// canKeep reports whether another request may follow the response.
func (e *exchange) canKeep(resp *http.Response) bool {
	return !resp.Close && resp.StatusCode >= 200 && !e.req.Close && !hasToken(e.req.Header["Connection"], "close")
}

// reader returns the context of the calling task: that of the request, or its own.
func (e *exchange) readerContext() (context.Context, error) {
	switch r, own := e.home.Running(); {
	case r == nil:
		return nil, errors.New("httpio: the body of a response is read on a goroutine; use Transport.Foreign")
	case r == e.home:
		return e.ctx, nil
	case e.ctx.Err() != nil && !e.home.Done():
		return own, context.Cause(e.ctx)
	default:
		return own, nil
	}
}

// Read makes an exchange what its reader reads from.
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

// head reads the head of the response, after those of status 1xx. All together are bounded.
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

// startTimer bounds the wait for the head of the response, once the request is sent.
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

// settleTime is how long the end of a request may come after the end of its response, if the
// connection is to be kept. It is that of package net/http.
const settleTime = 50 * time.Millisecond

// settle waits a moment for the end of the task that sends the body: the loop may hear of the
// response before it hears that the last bytes have gone.
func (e *exchange) waitWritten(keep bool) {
	if !keep || e.writer == nil {
		return
	}
	if ctx, err := e.readerContext(); err == nil {
		timed, release := await.WithTimeout(ctx, settleTime)
		defer release()
		_ = e.written.Wait(timed) // finish looks for the task itself
	}
}

// finish gives the connection back: kept if keep says so and nothing is left of the
// exchange on it.
func (e *exchange) finish(keep bool) {
	if e.released {
		return
	}
	e.released = true
	e.stopTimer()
	if w := e.writer; w != nil {
		w.Cancel(errAnswered) // the server does not want the rest of the body
		keep = false
	}
	if keep && e.sendErr == nil && e.bodyErr == nil && !e.bodyRefused && e.br.Buffered() == 0 {
		e.t.put(e.conn)
	} else {
		e.t.closeActive(e.conn)
	}
}

// errAnswered is why the body of a request is not sent to its end.
var errAnswered = errors.New("httpio: the request is over")

// putReader gives the reader back. Nobody may be reading.
func (e *exchange) putReader() {
	if e.br != nil {
		e.br.Reset(nil)
		readers.Put(e.br)
		e.br = nil
	}
}
