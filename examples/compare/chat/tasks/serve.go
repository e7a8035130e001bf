// SPDX-License-Identifier: Apache-2.0

// Package tasks is the chat room with Baton. The room needs no lock: a task switches only in
// calls with a ctx, and the room makes no such call.
package tasks

import (
	"context"
	"errors"
	"os"

	"baton/await"
	"baton/examples/compare/chat"
	"baton/locks"
	"baton/netio"
	"baton/task"
)

// Serve serves a room at address. After a cancel of ctx it returns nil when all clients have
// left. It returns an error if it cannot listen or accept.
func Serve(ctx context.Context, address string, cfg chat.Config) error {
	cfg = cfg.Defaults()
	r := &room{cfg: cfg}
	config := netio.ListenConfig{Stream: netio.StreamConfig{LineLimit: cfg.MaxLine, ReadTimeout: cfg.IdleTimeout}}
	ln, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	cfg.Ready(ln.Addr(), r.stats)
	err = (&netio.Server{Grace: cfg.Grace}).ServeListener(ctx, ln, r.serve)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A client is one connection. One task reads from the connection, and another one writes.
type client struct {
	lines    *locks.Queue[string] // for the writer; shut down when the client leaves
	stop     context.CancelFunc   // ends the reader; called when the client leaves
	name     string               // "" before it has joined
	farewell string               // the last line
}

// serve serves a connection.
func (r *room) serve(ctx context.Context, s *netio.Stream) error {
	open, stop := netio.UntilShutdown(ctx)
	defer stop()
	c := &client{lines: locks.NewQueue[string](r.cfg.Queue), stop: stop}
	if !r.enter(c) {
		_, err := s.Write(ctx, []byte(chat.Full))
		return err
	}
	defer r.exit(c)
	task.Scope(ctx, func(ctx context.Context) error {
		writer := task.StartErr(ctx, func(ctx context.Context) error { return c.write(ctx, s) })
		r.leave(c, r.read(open, c, s))
		s.SetReadTimeout(0)
		return await.Timeout(ctx, r.cfg.Grace, func(ctx context.Context) error {
			// Closing a connection with unread data resets it, and the last lines could be
			// lost.
			netio.Copy(ctx, discard{}, s)
			_, err := writer.Await(ctx)
			return err
		})
	})
	return nil // an error of one client does not matter to the server
}

// read handles the lines of a client. It returns why the client leaves.
func (r *room) read(ctx context.Context, c *client, s *netio.Stream) (why string) {
	for line, err := range s.Lines(ctx) {
		switch {
		case errors.Is(err, netio.ErrTooLong):
			return chat.TooLong
		case errors.Is(err, os.ErrDeadlineExceeded):
			return chat.Idle
		case errors.Is(err, netio.ErrShutdown):
			return chat.Closing
		case err != nil:
			return chat.Gone
		}
		r.handle(c, line)
	}
	return chat.Gone
}

// discard is a netio.Writer that discards all bytes, as io.Discard does.
type discard struct{}

func (discard) Write(_ context.Context, p []byte) (n int, err error) { return len(p), nil }

// write writes the lines of a client until the client leaves, several lines at a time if
// possible.
func (c *client) write(ctx context.Context, s *netio.Stream) error {
	const batch = 4096
	var buf []byte
	for line, err := range c.lines.All(ctx) {
		if err != nil {
			return err
		}
		buf = append(buf, line...)
		if c.lines.Len() > 0 && len(buf) < batch {
			continue
		}
		if _, err := s.Write(ctx, buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	if _, err := s.Write(ctx, []byte(c.farewell)); err != nil {
		return err
	}
	return s.CloseWrite()
}
