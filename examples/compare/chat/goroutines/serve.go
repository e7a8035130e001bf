// SPDX-License-Identifier: Apache-2.0

// Package goroutines is the chat room with the standard library. A mutex protects the room.
package goroutines

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"baton/examples/compare/chat"
)

// Serve serves a room at address. After a cancel of ctx it returns nil when all clients have
// left. It returns an error if it cannot listen or accept.
func Serve(ctx context.Context, address string, cfg chat.Config) error {
	cfg = cfg.Defaults()
	r := &room{cfg: cfg}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer ln.Close()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	cfg.Ready(ln.Addr(), r.stats)

	var conns sync.WaitGroup
	for {
		var conn net.Conn
		if conn, err = ln.Accept(); err != nil {
			break
		}
		conns.Go(func() { r.serve(conn.(*net.TCPConn)) })
	}
	r.close()
	conns.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A client is one connection. One goroutine reads from the connection, and another one writes.
type client struct {
	conn  *net.TCPConn
	lines chan string // for the writer; closed when the client leaves

	// The room's mutex protects the fields below. The writer reads farewell when lines is
	// closed.
	name     string // "" before it has joined
	farewell string // the last line
	left     bool   // the client may still be reading its last lines
}

// serve serves a connection.
func (r *room) serve(conn *net.TCPConn) {
	defer conn.Close()
	c := &client{conn: conn, lines: make(chan string, r.cfg.Queue)}
	if !r.enter(c) {
		io.WriteString(conn, chat.Full)
		return
	}
	defer r.exit(c)
	var writer sync.WaitGroup
	writer.Go(func() {
		if c.write() != nil {
			conn.Close() // ends the reader
		}
	})
	r.leave(c, r.read(c))
	// Closing a connection with unread data resets it, and the last lines could be lost.
	io.Copy(io.Discard, conn)
	writer.Wait()
}

// read handles the lines of a client. It returns why the client leaves.
func (r *room) read(c *client) (why string) {
	in := bufio.NewReaderSize(c.conn, r.cfg.MaxLine+len("\n"))
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return chat.TooLong
		case errors.Is(err, os.ErrDeadlineExceeded):
			return chat.Idle
		case err != nil:
			return chat.Gone
		}
		text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
		if !r.handle(c, text) {
			return chat.Gone
		}
	}
}

// write writes the lines of a client until the client leaves, several lines at a time if
// possible.
func (c *client) write() error {
	out := bufio.NewWriter(c.conn)
	for line := range c.lines {
		if _, err := out.WriteString(line); err != nil {
			return err
		}
		if len(c.lines) > 0 {
			continue
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if _, err := out.WriteString(c.farewell); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return c.conn.CloseWrite()
}
