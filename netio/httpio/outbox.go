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

// Outbox returns a handler that runs h, and a connection that h hijacks never waits in
// Write: what is written goes into an outbox, and a task of the connection sends it. It is
// for libraries for WebSocket. Their calls hold a lock while they write, and a second task
// that waits for this lock stops the loop. With an outbox every task may write.
//
// Limit is how many bytes may wait in the outbox. Choose a limit above the longest message.
// If more than limit bytes wait, Write fails with an error that wraps [netio.ErrTooLong],
// and closes the connection: the client reads too slowly. Close sends what waits, for five
// seconds at most. A deadline of writing has no effect.
//
// The handler must hijack on its task, so Outbox is of no use around [Blocking]. After that
// any goroutine may use the connection.
func Outbox(limit int, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&outboxWriter{w, limit}, r)
	})
}

// An outboxWriter is an http.ResponseWriter whose connection has an outbox.
type outboxWriter struct {
	http.ResponseWriter
	limit int
}

// Unwrap is for http.ResponseController.
func (w *outboxWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush sends what was written of an answer.
func (w *outboxWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack gives the connection to the handler, which must close it.
func (w *outboxWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	u, ok := nc.(interface{ of() *conn })
	if !ok || !u.of().atHome() {
		_ = nc.Close()
		return nil, nil, errors.New("httpio: Outbox is for handlers of a Server that hijack on their task")
	}
	o := &outbox{Conn: nc, c: u.of(), limit: w.limit}
	task.Go(o.c.ctx, o.run)
	rw.Writer.Reset(o)
	return o, rw, nil
}

// outboxTime is how long Close waits for a client that does not read.
const outboxTime = 5 * time.Second

// An outbox is a hijacked connection. Its methods are safe from every goroutine.
type outbox struct {
	net.Conn
	c     *conn
	limit int
	ready locks.Event // there is something to do; belongs to the loop

	mu      sync.Mutex // no call waits while it holds mu
	waiting []byte     // to be sent
	sending int        // bytes that run is sending
	closing bool
	err     error // why no more is sent
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
		_ = o.Conn.Close() // which ends run
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

// Close ends the connection when what waits is sent. It does not wait for that.
func (o *outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return net.ErrClosed
	}
	o.closing = true
	o.wake(func() {
		now := o.c.clock.Now()
		_ = o.c.nc.SetReadDeadline(now) // a Read that waits returns
		_ = o.c.nc.SetWriteDeadline(now.Add(outboxTime))
		o.ready.Set()
	})
	return nil
}

// SetDeadline sets that of reading. So does SetReadDeadline.
func (o *outbox) SetDeadline(t time.Time) error { return o.Conn.SetReadDeadline(t) }

// SetWriteDeadline has no effect, since Write does not wait.
func (o *outbox) SetWriteDeadline(time.Time) error { return nil }

// wake has the loop call fn.
func (o *outbox) wake(fn func()) {
	if l := o.c.home.Loop(); l.Held() {
		fn()
	} else {
		_, _ = l.CallSoonThreadsafe(fn)
	}
}

// run sends what waits until the outbox is closed, and then closes the connection.
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

// take returns what is to be sent, and whether nothing will follow.
func (o *outbox) take() (p []byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, o.waiting, o.sending = o.waiting, nil, len(o.waiting)
	return p, o.closing
}

// sent notes how the sending has ended, and reports whether it has failed.
func (o *outbox) sent(err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sending = 0
	if o.err == nil {
		o.err = err
	}
	return o.err != nil
}
