// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"baton/locks"
	"baton/netio"
	"baton/task"
)

// Outbox returns a handler that runs h. If h hijacks the connection, Write never waits: it puts
// the bytes into an outbox, and a task of the connection sends them. Outbox is for WebSocket
// libraries. They hold a lock while they write, and a second task that waits for this lock stops
// the loop. With an outbox, every task may write.
//
// limit is how many bytes may wait in the outbox. Choose a limit above the longest message. If more
// bytes wait because the client reads too slowly, Write closes the connection and returns an error
// that wraps [netio.ErrTooLong]. Close still sends the bytes that wait, for at most five seconds. A
// write deadline has no effect.
//
// The handler must hijack on its own task, so Outbox does not work around [Blocking]. Any goroutine
// may use the hijacked connection.
func Outbox(limit int, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&outboxWriter{w, limit}, r)
	})
}

// An outboxWriter is an http.ResponseWriter whose hijacked connection has an outbox.
type outboxWriter struct {
	http.ResponseWriter
	limit int
}

// Unwrap is for http.ResponseController.
func (w *outboxWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush sends what was written of a response.
func (w *outboxWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack returns the connection. The caller must close it.
func (w *outboxWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	u, ok := nc.(interface{ conn() *conn })
	if !ok || !u.conn().onTask() {
		_ = nc.Close()
		return nil, nil, errors.New("httpio: Outbox needs a handler of a Server that hijacks on its own task; do not use it with Blocking or OnLoop")
	}
	o := &outbox{Conn: nc, c: u.conn(), limit: w.limit}
	task.Go(o.c.ctx, o.run)
	rw.Writer.Reset(o)
	return o, rw, nil
}

// outboxTime is how long an outbox goes on sending after Close.
const outboxTime = 5 * time.Second

// An outbox is a hijacked connection whose Write does not wait. Its methods are safe for concurrent
// use.
type outbox struct {
	net.Conn
	c     *conn
	limit int
	ready locks.Event // set if run has something to do; belongs to the loop

	mu      sync.Mutex // held for short: no call waits with it
	waiting []byte     // bytes to send
	sending int        // how many bytes run is sending
	closing bool
	err     error // why nothing is sent any more
}

// Write puts p into the outbox.
func (o *outbox) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return 0, o.err
	case o.closing:
		return 0, net.ErrClosed
	case len(o.waiting)+o.sending > o.limit:
		o.err = fmt.Errorf("httpio: the outbox for %s is %w of %d bytes", o.c.remote, netio.ErrTooLong, o.limit)
		_ = o.Conn.Close() // makes run return
		return 0, o.err
	}
	if len(o.waiting) == 0 {
		o.wake(o.ready.Set)
	}
	o.waiting = append(o.waiting, p...)
	return len(p), nil
}

// Read reads from the connection.
func (o *outbox) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if err != nil && o.isClosing() {
		err = net.ErrClosed
	}
	return n, err
}

func (o *outbox) isClosing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closing
}

// Close closes the outbox. It does not wait: run sends the rest and closes the connection.
func (o *outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return net.ErrClosed
	}
	o.closing = true
	o.wake(func() {
		now := o.c.clock.Now()
		_ = o.c.nc.SetReadDeadline(now) // makes a waiting Read return
		_ = o.c.nc.SetWriteDeadline(now.Add(outboxTime))
		o.ready.Set()
	})
	return nil
}

// SetDeadline sets the read deadline only.
func (o *outbox) SetDeadline(t time.Time) error { return o.Conn.SetReadDeadline(t) }

// SetWriteDeadline has no effect, since Write does not wait.
func (o *outbox) SetWriteDeadline(time.Time) error { return nil }

// wake calls fn on the loop.
func (o *outbox) wake(fn func()) {
	if l := o.c.task.Loop(); l.Held() {
		fn()
	} else {
		_, _ = l.CallSoonThreadsafe(fn)
	}
}

// run sends what is written until the outbox is closed and empty, and then closes the connection.
func (o *outbox) run(ctx context.Context) error {
	defer o.Conn.Close()
	for {
		p, last := o.take()
		switch {
		case len(p) > 0:
			_, err := o.c.s.Write(ctx, p)
			if o.sent(err) {
				return nil
			}
		case last:
			return nil
		default:
			if err := o.ready.Wait(ctx); err != nil {
				o.sent(err)
				return nil
			}
			o.ready.Clear()
		}
	}
}

// take returns the bytes to send, and whether no more will follow.
func (o *outbox) take() (p []byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, o.waiting, o.sending = o.waiting, nil, len(o.waiting)
	return p, o.closing
}

// sent notes the error of sending, and reports whether the outbox has failed.
func (o *outbox) sent(err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sending = 0
	if o.err == nil {
		o.err = err
	}
	return o.err != nil
}
