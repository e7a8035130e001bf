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

// A userConn is the net.Conn that ConnState, ConnContext and Hijack give to the user. Its methods
// are safe for concurrent use.
type userConn struct {
	net.Conn // of the stream
	c        *conn

	mu       sync.Mutex
	isClosed bool          // Close was called
	closed   chan struct{} // closed by Close; nil before Hijack
}

// Close closes the connection. If the connection was hijacked, its task ends.
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

// conn returns the conn of this net.Conn.
func (u *userConn) conn() *conn { return u.c }

// CloseWrite ends the writing direction.
func (u *userConn) CloseWrite() error {
	return u.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// untilClosed returns a channel that Close closes.
func (u *userConn) untilClosed() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = make(chan struct{})
	if u.isClosed {
		close(u.closed)
	}
	return u.closed
}

// A secureConn is the userConn of an encrypted connection. It is another type because libraries
// look for the method ConnectionState, which a plain connection must not have.
type secureConn struct {
	userConn
	state atomic.Pointer[tls.ConnectionState] // nil until the handshake is done
}

// ConnectionState returns what the method of tls.Conn returns.
func (c *secureConn) ConnectionState() tls.ConnectionState {
	if state := c.state.Load(); state != nil {
		return *state
	}
	return tls.ConnectionState{}
}

// hijack returns the connection, with the bytes that were read ahead. The task of the connection
// lives until the connection is closed.
func (c *conn) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	c.hijacked = c.nc.(interface{ untilClosed() <-chan struct{} }).untilClosed()
	c.setState(http.StateHijacked)
	// The caller gets the reader that holds the bytes read ahead; it reads on from the same stream.
	br := c.br
	c.br = nil
	return c.nc, bufio.NewReadWriter(br, bufio.NewWriter(c.nc)), nil
}
