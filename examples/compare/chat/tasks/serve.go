// SPDX-License-Identifier: Apache-2.0

// Package tasks is the chat room with Baton. The room is plain data: a task switches
// only in calls with a ctx, and the room makes none.
package tasks

import (
	"context"
	"errors"
	"os"

	"baton/examples/compare/chat"
	"baton/locks"
	"baton/loop"
	"baton/netio"
	"baton/task"
)

// Serve serves a room at address. It returns nil after a cancel of ctx, when all clients
// have left, or an error if it cannot listen or accept.
func Serve(ctx context.Context, address string, cfg chat.Config) error {
	cfg = cfg.Defaults()
	r := &room{cfg: cfg, loop: task.Loop(ctx)}
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

// A client is one connection. One task reads from it and another one writes to it.
type client struct {
	stream   *netio.Stream
	lines    *locks.Queue[string] // for the writer; shut down when the client leaves
	name     string               // "" before it has joined
	farewell string               // the last line
	cutter   *loop.Handle         // cuts off a client that has left
}

// serve serves a connection.
func (r *room) serve(ctx context.Context, s *netio.Stream) error {
	c := &client{stream: s, lines: locks.NewQueue[string](r.cfg.Queue)}
	if !r.enter(c) {
		_, err := s.Write(ctx, []byte(chat.Full))
		return err
	}
	defer r.exit(c)
	return task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, c.write)
		r.leave(c, r.read(ctx, c))
		// Without this, the last lines could be lost: a connection that is closed with
		// something left to read is reset.
		s.SetReadTimeout(0)
		netio.Copy(ctx, discard{}, s)
		return nil
	})
}

// read handles the lines of a client, and returns why it leaves.
func (r *room) read(ctx context.Context, c *client) (why string) {
	open, release := netio.UntilShutdown(ctx)
	defer release()
	for line, err := range c.stream.Lines(open) {
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
		if !r.handle(c, line) {
			break
		}
	}
	return chat.Gone
}

// discard is a netio.Writer, as io.Discard is an io.Writer.
type discard struct{}

func (discard) Write(_ context.Context, p []byte) (n int, err error) { return len(p), nil }

// write writes the lines of a client until it leaves, several at a time if it can.
func (c *client) write(ctx context.Context) error {
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
		if _, err := c.stream.Write(ctx, buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	if _, err := c.stream.Write(ctx, []byte(c.farewell)); err != nil {
		return err
	}
	return c.stream.CloseWrite()
}
