// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// serveGoroutines serves each connection with a goroutine until ctx ends, as Go programs usually
// do. The standard library sets TCP_NODELAY and uses the backlog of the system, 4096 on current
// Linux.
func serveGoroutines(ctx context.Context, address string, work handler, tell listening) error {
	if work.udp {
		return work.echoDatagrams(ctx, address, tell)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	tell(ln.Addr())
	context.AfterFunc(ctx, func() { ln.Close() })
	for {
		c, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if work.tls != nil {
			c = tls.Server(c, work.tls) // makes the handshake in the first Read
		}
		go work.echoConn(c)
	}
}

func (h handler) echoConn(c net.Conn) {
	defer c.Close()
	buf := make([]byte, h.buffer)
	for {
		if h.idle > 0 {
			if err := c.SetReadDeadline(time.Now().Add(h.idle)); err != nil {
				return
			}
		}
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
