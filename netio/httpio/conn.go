// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"baton/await"
	"baton/internal/stack"
	"baton/loop"
	"baton/loop/poll"
	"baton/netio"
	"baton/task"
)

// A conn is a connection of a Server. Only its task uses it; nc and clock are for every goroutine.
type conn struct {
	srv   *Server
	s     *netio.Stream
	ctx   context.Context // of the task
	base  context.Context // the parent of the contexts of requests
	task  *task.Ref       // the task
	nc    net.Conn        // the stream as a *userConn or *secureConn, for every goroutine
	clock poll.Poller     // gives the time, to every goroutine
	br    *bufio.Reader   // of the request in progress, or nil
	head  headScanner     // of the request that is being read

	remote string               // the address of the client
	tls    *tls.ConnectionState // nil without TLS

	deadline      time.Time       // the read deadline
	writeDeadline bool            // a handler has set a write deadline
	readBefore    bool            // a request was read on this connection before
	afterPost     bool            // the last request was a POST
	hijacked      <-chan struct{} // closed by Close of the hijacked connection; nil before Hijack
	current       *response       // the request in progress, or nil
	scope         task.ScopeRef   // of the request in progress; a disconnect cancels it
	onClientGone  func(error)     // the method clientGone
	lingering     bool            // the client may still be sending
	untilShutdown context.Context // cancelled when the end of the server begins
}

func newConn(ctx context.Context, srv *Server, s *netio.Stream, secure bool) *conn {
	c := &conn{srv: srv, s: s, ctx: ctx, task: task.Self(ctx), clock: task.Loop(ctx).Poller()}
	c.remote, c.onClientGone = s.RemoteAddr().String(), c.clientGone
	if secure {
		c.nc = &secureConn{userConn: userConn{Conn: s.NetConn(ctx), c: c}}
	} else {
		c.nc = &userConn{Conn: s.NetConn(ctx), c: c}
	}
	return c
}

func (c *conn) setState(state http.ConnState) {
	if c.srv.ConnState != nil {
		c.srv.ConnState(c.nc, state)
	}
}

// end releases the reader and reports StateClosed. The task of the connection ends with it.
func (c *conn) end() {
	c.putReader()
	if c.hijacked == nil {
		c.setState(http.StateClosed)
	}
}

// readers is the pool of buffered readers. A connection has one while a request is in progress.
var readers = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

// putReader returns the reader to the pool. The reader must be empty.
func (c *conn) putReader() {
	if c.br != nil {
		c.br.Reset(nil)
		readers.Put(c.br)
		c.br = nil
	}
}

// A refusal is the response to an invalid request. Its texts are those of package net/http.
type refusal struct {
	code   int
	reason string // for the status line and the body
	body   string // replaces the status as the body
}

func (r *refusal) Error() string { return r.reason }

// next waits for a request and reads its head.
func (c *conn) next(ctx context.Context) (*http.Request, error) {
	if err := c.await(ctx); err != nil {
		return nil, err
	}
	now := task.Now(ctx)
	var whole time.Time
	if d := c.srv.ReadTimeout; d > 0 {
		whole = now.Add(d)
	}
	head := whole
	if d := c.srv.ReadHeaderTimeout; d > 0 {
		head = now.Add(d)
	}
	if err := c.setReadDeadline(head); err != nil {
		return nil, err
	}
	req, err := c.readHead()
	if d := c.srv.WriteTimeout; d > 0 || c.writeDeadline { // set after an error too, for the refusal
		c.writeDeadline = false // a deadline that a handler sets is only for its request
		var write time.Time
		if d > 0 {
			write = task.Now(ctx).Add(d)
		}
		if err := c.nc.SetWriteDeadline(write); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	if err := c.setReadDeadline(whole); err != nil {
		return nil, err
	}
	req.RemoteAddr = c.remote
	req.TLS = c.tls
	return req, nil
}

// setReadDeadline sets the read deadline. It does nothing if the old and the new one are zero.
func (c *conn) setReadDeadline(t time.Time) error {
	if t.IsZero() && c.deadline.IsZero() {
		return nil
	}
	c.deadline = t
	return c.nc.SetReadDeadline(t)
}

// await waits for the first byte of a request. It returns an error when the end of the server
// begins.
func (c *conn) await(ctx context.Context) error {
	if c.br != nil && c.br.Buffered() > 0 { // the client did not wait for the last response
		c.setState(http.StateActive)
		return task.Check(c.untilShutdown)
	}
	c.putReader() // an idle connection keeps no reader
	d := orElse(c.srv.IdleTimeout, c.srv.ReadTimeout)
	if !c.readBefore {
		d = orElse(c.srv.ReadHeaderTimeout, c.srv.ReadTimeout)
	}
	var idle time.Time
	if d > 0 {
		idle = task.Now(ctx).Add(d)
	}
	if err := c.setReadDeadline(idle); err != nil {
		return err
	}
	_, err := c.s.Peek(c.untilShutdown, 1)
	if err == nil {
		c.setState(http.StateActive)
	}
	return err
}

// respond calls the handler for a request, in a scope, and completes the response. It reports
// whether another request may follow on the connection.
func (c *conn) respond(req *http.Request) (again bool) {
	var w *response
	defer func() { w.end() }()
	err := task.Scope(c.base, func(ctx context.Context) error {
		w = newResponse(c, req, ctx)
		c.current, c.scope = w, *task.ScopeOf(ctx)
		defer func() { c.current = nil }()
		aborted := c.callHandler(w)
		switch {
		case c.hijacked != nil && aborted:
			_ = c.nc.Close() // the handler has panicked and cannot close it
		case c.hijacked != nil:
		case aborted:
			w.abort()
		default:
			w.finish()
			again = !w.closeAfter && w.err == nil
		}
		if c.scope.Len() > 0 {
			c.scope.Cancel(nil) // the tasks that the handler has started
		}
		return nil
	})
	if err != nil && !isCancel(err) {
		c.report(err) // of a task that the handler has started
	}
	if c.hijacked != nil {
		_, _, _ = await.Receive(c.ctx, c.hijacked) // the handler must close a hijacked connection
		return false
	}
	return again && err == nil
}

// callHandler calls the handler. It reports whether the handler has panicked.
func (c *conn) callHandler(w *response) (aborted bool) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			return // a Goexit, which continues
		}
		aborted = true
		if v != http.ErrAbortHandler {
			c.reportPanic(v)
		}
	}()
	handler := c.srv.handler()
	switch {
	case w.req.Header.Get("Expect") != "" && !wants(w.req.Header, "Expect", "100-continue"):
		handler = http.HandlerFunc(expectationFailed)
	case w.req.RequestURI == "*" && w.req.Method == "OPTIONS" && !c.srv.DisableGeneralOptionsHandler:
		handler = http.HandlerFunc(generalOptions)
	}
	if w.body.err == io.EOF && c.br.Buffered() == 0 { // there is no body, and no other request
		c.watchClient(w)
	}
	handler.ServeHTTP(w, w.req)
	returned = true
	return false
}

// watchClient makes the loop cancel the request when the client disconnects. The body must have
// been read. Any goroutine may call it.
func (c *conn) watchClient(w *response) {
	if c.task.Loop().Held() {
		c.readAhead(w)
	} else {
		_, _ = c.task.Loop().CallSoonThreadsafe(func() { c.readAhead(w) })
	}
}

// readAhead is watchClient on the loop. It does nothing if the request has ended.
func (c *conn) readAhead(w *response) {
	if c.current == w {
		c.s.ReadAhead(c.onClientGone)
	}
}

// clientGone cancels the request in progress.
func (c *conn) clientGone(error) {
	if c.current != nil {
		c.scope.Cancel(nil)
	}
}

// maxOptionsBody is how much of the body of an "OPTIONS *" request is read, as in package net/http.
const maxOptionsBody = 4 << 10

func generalOptions(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	if n, _ := io.CopyN(io.Discard, r.Body, maxOptionsBody+1); n > maxOptionsBody {
		w.Header().Set("Connection", "close")
	}
}

func expectationFailed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusExpectationFailed)
}

// refuse sends the response for err, the error of reading a request, unless the client has
// disconnected.
func (c *conn) refuse(err error) error {
	var r *refusal
	switch {
	case errors.As(err, &r):
	case isEnd(err):
		return nil
	default:
		r = &refusal{code: http.StatusBadRequest}
	}
	status := fmt.Sprintf("%d %s", r.code, http.StatusText(r.code))
	if r.reason != "" {
		status += ": " + r.reason
	}
	text := r.body
	if text == "" {
		text = status
	}
	_ = c.write([]byte("HTTP/1.1 " + status + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + text))
	c.lingering = true
	return c.linger()
}

// lingerTime is how long the server reads from a client that may still be sending, before it closes
// the connection. If it closed at once, the kernel would reset the connection, and the client could
// lose the response.
const lingerTime = 500 * time.Millisecond

// linger ends the writing direction and reads for lingerTime, if the client may still be sending.
func (c *conn) linger() error {
	if !c.lingering || c.s.CloseWrite() != nil {
		return nil
	}
	if err := c.nc.SetReadDeadline(task.Now(c.ctx).Add(lingerTime)); err != nil {
		return nil
	}
	buf := make([]byte, 4<<10)
	for {
		if _, err := c.s.Read(c.ctx, buf); err != nil {
			return nil
		}
	}
}

// write writes all of bufs, on the task of the connection or on any other task or goroutine.
func (c *conn) write(bufs ...[]byte) error {
	if c.onTask() {
		_, err := c.s.WriteBuffers(c.ctx, bufs...)
		return err
	}
	for _, b := range bufs {
		if _, err := c.nc.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// onTask reports whether the caller is the task of the connection.
func (c *conn) onTask() bool {
	r, _ := c.task.Running()
	return r == c.task
}

// isEnding reports whether the end of the server has begun.
func (c *conn) isEnding() bool { return c.untilShutdown.Err() != nil }

// logf logs a mistake of a handler.
func (c *conn) logf(format string, args ...any) {
	if c.srv.ErrorLog != nil {
		c.srv.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}

// report reports an error that has no caller.
func (c *conn) report(err error) {
	if p, ok := errors.AsType[*task.PanicError](err); ok && c.srv.ErrorLog == nil {
		p.Report(c.ctx)
		return
	}
	if c.srv.ErrorLog != nil {
		c.srv.ErrorLog.Printf("http: serving %v: %v", c.remote, err)
		return
	}
	c.task.Loop().CallExceptionHandler(loop.Exception{Message: fmt.Sprintf("httpio: serving %v", c.remote), Err: err})
}

// reportPanic reports a panic of a handler.
func (c *conn) reportPanic(v any) {
	p := &task.PanicError{Value: v, Stack: stack.OfPanic(), Task: c.task.String()}
	if c.srv.ErrorLog != nil {
		c.srv.ErrorLog.Printf("http: panic serving %v: %v\n%s", c.remote, v, p.Stack)
		return
	}
	p.Report(c.ctx)
}
