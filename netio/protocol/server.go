// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"errors"
	"net"

	"baton/loop"
	"baton/netio"
	"baton/task"
)

// A Server makes a transport and a protocol for each connection that it accepts.
//
// Close stops accepting; open connections go on. Wait returns when the server has stopped
// accepting and its last transport has ended. A server belongs to the scope of the ctx that it was
// made with. A cancel of the scope closes the server and aborts its transports. The scope does not
// end before Close.
type Server struct {
	loop     *loop.Loop
	config   Config
	settings settings
	factory  Factory
	group    *group
	listener *netio.Listener
	netio    netio.Server
	open     int            // the number of transports that have not ended
	serving  bool           // connections are accepted or perform their TLS handshake
	closed   bool           // Close was called
	ended    task.WaitQueue // tasks in Wait
}

// CreateServer listens on an address. It calls Config{}.CreateServer.
func CreateServer(ctx context.Context, network, address string, factory Factory) (*Server, error) {
	return Config{}.CreateServer(ctx, network, address, factory)
}

// CreateServer listens on an address, like [netio.ListenConfig], and returns when clients can
// connect. For each connection, the server calls factory, after the TLS handshake if c.TLS is not
// nil. A panic in factory closes the connection and is reported. CreateServer returns the errors
// of Listen. If accepting fails permanently, the scope of ctx fails with that error.
//
// In PEP 3156 it is create_server.
func (c Config) CreateServer(ctx context.Context, network, address string, factory Factory) (*Server, error) {
	if factory == nil {
		misuse("CreateServer with a nil factory; pass a function")
	}
	limits(c.HighWater, c.LowWater)
	ln, err := c.Listen.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	srv := &Server{loop: task.Loop(ctx), config: c, settings: settings{c.CloseTimeout, c.Listen.Stream.TLS}, factory: factory, group: groupOf(ctx), listener: ln, serving: true}
	srv.netio = netio.Server{TLS: c.TLS, Grace: -1}
	if c.OnError != nil {
		srv.netio.OnError = func(_ *netio.Stream, err error) { c.OnError(err) }
	}
	srv.group.scope.Go(srv.serve).SetName("protocol.server")
	return srv, nil
}

// serve accepts connections until the listener is closed.
func (srv *Server) serve(ctx context.Context) error {
	defer func() {
		srv.serving = false
		srv.wakeIfEnded()
	}()
	err := srv.netio.ServeListener(ctx, srv.listener, srv.accept)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// accept makes a transport for a connection. It is the handler of srv.netio, which has already
// performed the TLS handshake.
func (srv *Server) accept(ctx context.Context, s *netio.Stream) error {
	p := srv.factory()
	modeOf(p)
	d, err := s.Detach(ctx)
	if err != nil {
		return err
	}
	t := newTransport(&srv.config, &srv.settings, d, p, srv.group)
	t.server = srv
	srv.open++
	t.queue()
	return nil
}

// Addr returns the first address, with its port. It works also after Close.
func (srv *Server) Addr() net.Addr { return srv.listener.Addr() }

// Addrs returns all addresses.
func (srv *Server) Addrs() []net.Addr { return srv.listener.Addrs() }

// IsServing reports whether the server accepts connections.
func (srv *Server) IsServing() bool {
	srv.checkHeld("IsServing")
	return !srv.closed && srv.serving
}

func (srv *Server) checkHeld(call string) { mustHold(srv.loop, "Server."+call, srv) }

// Close stops accepting. Open connections go on. It does not wait. A second Close does nothing.
func (srv *Server) Close() {
	srv.checkHeld("Close")
	if srv.closed {
		return
	}
	srv.closed = true
	if srv.serving {
		_ = srv.listener.Close() // an error means only that a socket file remains
	}
}

// CloseClients calls Close on every transport of the server.
func (srv *Server) CloseClients() { srv.each("CloseClients", (*Transport).Close) }

// AbortClients calls Abort on every transport of the server.
func (srv *Server) AbortClients() { srv.each("AbortClients", (*Transport).Abort) }

func (srv *Server) each(call string, fn func(*Transport)) {
	srv.checkHeld(call)
	for _, t := range srv.group.all() {
		if t.server == srv {
			fn(t)
		}
	}
}

// Wait waits until the server has stopped accepting and its last transport has ended. In PEP 3156
// it is wait_closed.
func (srv *Server) Wait(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	for srv.serving || srv.open > 0 {
		if err := srv.ended.Wait(ctx, srv); err != nil {
			return err
		}
	}
	return nil
}

// transportEnded counts the end of a transport. Srv may be nil.
func (srv *Server) transportEnded() {
	if srv != nil {
		srv.open--
		srv.wakeIfEnded()
	}
}

func (srv *Server) wakeIfEnded() {
	if !srv.serving && srv.open == 0 {
		srv.ended.WakeAll()
	}
}

// String returns the first address.
func (srv *Server) String() string { return srv.listener.String() }

// Reason returns what a task in Wait waits for, for reports.
func (srv *Server) Reason() string { return "the end of the server " + srv.String() }

// Owners returns nil, because no task of the loop ends the wait.
func (srv *Server) Owners() []*task.Ref { return nil }
