// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
)

// Hijack takes the connection from package net/http. The handler must close it. Tasks of the loop
// and goroutines may use it, also after the handler has returned.
func (lr *loopRequest) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	err = lr.exclusive(func() error {
		var inner net.Conn
		var innerRW *bufio.ReadWriter
		err := lr.send(func() (err error) {
			if err := lr.writeHeld(); err != nil {
				return err
			}
			inner, innerRW, err = http.NewResponseController(lr.w).Hijack()
			return err
		})
		if err != nil {
			return err
		}
		lr.hijacked = true
		conn = &loopConn{Conn: inner, offload: &offload{task: lr.task}}
		ahead, _ := innerRW.Reader.Peek(innerRW.Reader.Buffered())
		rw = bufio.NewReadWriter(bufio.NewReader(io.MultiReader(bytes.NewReader(ahead), conn)), bufio.NewWriter(conn))
		return nil
	})
	return conn, rw, err
}

// A loopConn is a hijacked connection of package net/http.
type loopConn struct {
	net.Conn
	offload *offload
}

func (c *loopConn) Read(p []byte) (n int, err error) {
	stop := func() { _ = c.SetReadDeadline(longAgo) }
	err = c.offload.do("the client's bytes", stop, func() (err error) {
		n, err = c.Conn.Read(p)
		return err
	})
	return n, err
}

func (c *loopConn) Write(p []byte) (n int, err error) {
	stop := func() { _ = c.SetWriteDeadline(longAgo) }
	err = c.offload.do("the client to read bytes", stop, func() (err error) {
		n, err = c.Conn.Write(p)
		return err
	})
	return n, err
}

// Close closes the connection. It may wait until an alert of TLS is sent.
func (c *loopConn) Close() error {
	return c.offload.do("the Close of its connection", nil, c.Conn.Close)
}

// CloseWrite ends the writing direction. It returns http.ErrNotSupported if the connection has no
// CloseWrite.
func (c *loopConn) CloseWrite() error {
	inner, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return http.ErrNotSupported
	}
	return c.offload.do("the CloseWrite of its connection", nil, inner.CloseWrite)
}
