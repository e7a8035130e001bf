// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
)

// Hijack takes the connection from package net/http. The handler must close it. Tasks of
// the loop and goroutines may use it, also after the handler.
func (v *visitor) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	err = v.alone(func() error {
		var inner net.Conn
		var innerRW *bufio.ReadWriter
		err := v.send(func() (err error) {
			if err := v.push(); err != nil {
				return err
			}
			inner, innerRW, err = http.NewResponseController(v.w).Hijack()
			return err
		})
		if err != nil {
			return err
		}
		v.hijacked = true
		conn = &visitorConn{Conn: inner, outside: &outside{home: v.home}}
		ahead, _ := innerRW.Reader.Peek(innerRW.Reader.Buffered())
		rw = bufio.NewReadWriter(bufio.NewReader(io.MultiReader(bytes.NewReader(ahead), conn)), bufio.NewWriter(conn))
		return nil
	})
	return conn, rw, err
}

// A visitorConn is a connection that was taken from package net/http.
type visitorConn struct {
	net.Conn
	outside *outside
}

func (c *visitorConn) Read(p []byte) (n int, err error) {
	stop := func() { _ = c.SetReadDeadline(longAgo) }
	err = c.outside.do("the client's bytes", stop, func() (err error) {
		n, err = c.Conn.Read(p)
		return err
	})
	return n, err
}

func (c *visitorConn) Write(p []byte) (n int, err error) {
	stop := func() { _ = c.SetWriteDeadline(longAgo) }
	err = c.outside.do("the client to take bytes", stop, func() (err error) {
		n, err = c.Conn.Write(p)
		return err
	})
	return n, err
}

// Close closes the connection. It may wait a while for an alert of TLS to be sent.
func (c *visitorConn) Close() error {
	return c.outside.do("the end of its connection", nil, c.Conn.Close)
}

// CloseWrite ends the writing direction, if the connection can do that.
func (c *visitorConn) CloseWrite() error {
	inner, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return http.ErrNotSupported
	}
	return c.outside.do("the end of its writing", nil, inner.CloseWrite)
}
