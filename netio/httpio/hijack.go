// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"
)

// A hijacked is a connection that belongs to a handler. The task of the connection lives
// until it is closed.
type hijacked struct {
	net.Conn
	c      *conn
	once   sync.Once
	closed chan struct{}
}

// Close closes the connection and ends its task.
func (h *hijacked) Close() error {
	err := h.Conn.Close()
	h.once.Do(func() { close(h.closed) })
	return err
}

// CloseWrite ends the writing direction.
func (h *hijacked) CloseWrite() error {
	return h.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// hijack gives the connection away, with what was read ahead.
func (c *conn) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	h := &hijacked{Conn: c.nc, c: c, closed: make(chan struct{})}
	c.hijacked = h
	c.setState(http.StateHijacked)
	// The reader that has the bytes goes with them: its source is the same stream.
	br := c.br
	c.br = nil
	return h, bufio.NewReadWriter(br, bufio.NewWriter(h)), nil
}
