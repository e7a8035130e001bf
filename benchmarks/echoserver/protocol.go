// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"baton/netio/protocol"
	"baton/task"
)

// serveProtocol serves each connection with a protocol, all on one loop. When ctx ends, it closes
// the open connections and returns nil.
func serveProtocol(ctx context.Context, h task.Handoff, address string, work handler, tell listening) error {
	err := task.Runner{Handoff: h}.Run(ctx, func(ctx context.Context) error {
		config := protocol.Config{TLS: work.tls}
		srv, err := config.CreateServer(ctx, "tcp", address, func() protocol.Base { return new(echo) })
		if err != nil {
			return err
		}
		tell(srv.Addr())
		return srv.Wait(ctx)
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// An echo is the protocol of a connection.
type echo struct{ transport *protocol.Transport }

func (e *echo) ConnectionMade(t *protocol.Transport) { e.transport = t }

// DataReceived sends the data back. A failed Write ends the connection.
func (e *echo) DataReceived(data []byte) { _, _ = e.transport.Write(data) }

func (e *echo) ConnectionLost(error) {}
