// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A userConn is the net.Conn of a connection, for functions of the user. Its methods are
// safe from every goroutine.
type userConn struct {
	net.Conn // of the stream
	c        *conn

	mu       sync.Mutex
	isClosed bool          // Close was called
	closed   chan struct{} // is closed by Close; nil before the connection is hijacked
}

// Close closes the connection. If that was hijacked, its task ends.
func (u *userConn) Close() error {
	err := u.Conn.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.isClosed && u.closed != nil {
		close(u.closed)
	}
	u.isClosed = true
	return err
}

// of returns the connection that the net.Conn is for.
func (u *userConn) of() *conn { return u.c }

// CloseWrite ends the writing direction.
func (u *userConn) CloseWrite() error {
	return u.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// untilClosed returns what Close closes.
func (u *userConn) untilClosed() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = make(chan struct{})
	if u.isClosed {
		close(u.closed)
	}
	return u.closed
}

// A secureConn is the net.Conn of an encrypted connection. Libraries look for the method
// ConnectionState, which a plain connection must not have.
type secureConn struct {
	userConn
	state atomic.Pointer[tls.ConnectionState] // nil before the end of the handshake
}

// ConnectionState is that of tls.Conn.
func (c *secureConn) ConnectionState() tls.ConnectionState {
	if state := c.state.Load(); state != nil {
		return *state
	}
	return tls.ConnectionState{}
}

// hijack gives the connection away, with what was read ahead. The task of the connection
// lives until it is closed.
func (c *conn) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	c.hijacked = c.nc.(interface{ untilClosed() <-chan struct{} }).untilClosed()
	c.setState(http.StateHijacked)
	// The reader that has the bytes goes with them: its source is the same stream.
	br := c.br
	c.br = nil
	return c.nc, bufio.NewReadWriter(br, bufio.NewWriter(c.nc)), nil
}
