// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"baton/netio"
	"baton/task"
)

// serveBaton serves each connection with a task, all on one loop. When ctx ends, it closes the open
// connections and returns nil.
func serveBaton(ctx context.Context, h task.Handoff, address string, work handler, tell listening) error {
	err := task.Runner{Handoff: h}.Run(ctx, func(ctx context.Context) error {
		if work.udp {
			return work.echoPackets(ctx, address, tell)
		}
		ln, err := netio.Listen(ctx, "tcp", address) // with a backlog of 1024
		if err != nil {
			return err
		}
		tell(ln.Addr())
		server := netio.Server{Grace: -1, TLS: work.tls}
		return server.ServeListener(ctx, ln, work.echo)
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// echo returns when the connection ends. An error of the connection is a normal end.
func (h handler) echo(ctx context.Context, s *netio.Stream) error {
	s.SetIdleTimeout(h.idle)
	if h.copy {
		_, err := netio.Copy(ctx, s, s)
		return err
	}
	buf := make([]byte, h.buffer)
	for {
		n, err := s.Read(ctx, buf)
		if err != nil {
			return err
		}
		if _, err := s.Write(ctx, buf[:n]); err != nil {
			return err
		}
	}
}
