// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net"
	"net/http"
	"sync"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/task"
)

// isUpgrade reports whether the head of a response agrees to an upgrade to another protocol.
func isUpgrade(h http.Header) bool {
	return h.Get("Upgrade") != "" && hasToken(h["Connection"], "upgrade")
}

// upgrade returns the connection, which is the body of a response with status 101.
func (e *exchange) upgrade() (net.Conn, error) {
	s := e.conn.stream
	ahead, _ := e.br.Peek(e.br.Buffered())
	s.Unread(ahead)
	e.released = true
	e.putReader()
	e.t.releaseActive(e.conn.pool)
	if e.holdUpgraded {
		return holdConn(e.ctx, s)
	}
	return s.NetConn(e.ctx), nil
}

// A heldConn is an upgraded connection with its own task, which lives until Close.
type heldConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

// holdConn starts the task of a heldConn in the scope of ctx. The end of the scope closes the
// stream.
func holdConn(ctx context.Context, s *netio.Stream) (net.Conn, error) {
	h := &heldConn{closed: make(chan struct{})}
	var ready locks.Event
	task.Go(ctx, func(ctx context.Context) error {
		defer s.Close()
		h.Conn = s.NetConn(ctx)
		ready.Set()
		_, _, err := await.Receive(ctx, h.closed)
		return err
	})
	if err := ready.Wait(ctx); err != nil {
		h.once.Do(func() { close(h.closed) })
		return nil, err
	}
	return h, nil
}

// Close closes the connection and ends its task.
func (h *heldConn) Close() error {
	err := h.Conn.Close()
	h.once.Do(func() { close(h.closed) })
	return err
}
