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

// A Server makes a transport and a protocol for every connection that it accepts. It
// belongs to the scope of the ctx that it was made under: a cancel of the scope closes
// it and aborts its transports, and the scope does not end before Close.
type Server struct {
	loop     *loop.Loop
	config   Config
	choices  choices
	factory  Factory
	group    *group
	listener *netio.Listener
	netio    netio.Server
	open     int            // transports that have not ended
	serving  bool           // connections are accepted, or shake hands
	closed   bool           // Close was called
	ended    task.WaitQueue // where Wait waits
}

// CreateServer listens on an address. It is Config{}.CreateServer.
func CreateServer(ctx context.Context, network, address string, factory Factory) (*Server, error) {
	return Config{}.CreateServer(ctx, network, address, factory)
}

// CreateServer listens on an address as [netio.ListenConfig] does, and returns when
// connections can be made. For each it calls factory, after the TLS handshake if there
// is one. A panic in factory is reported and closes the connection. Errors are those of
// Listen. If accepting fails for good, the scope of ctx fails with that error.
//
// PEP 3156's create_server.
func (c Config) CreateServer(ctx context.Context, network, address string, factory Factory) (*Server, error) {
	if factory == nil {
		misuse("CreateServer needs a factory")
	}
	limits(c.HighWater, c.LowWater)
	ln, err := c.Listen.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	srv := &Server{loop: task.Loop(ctx), config: c, choices: choices{c.CloseTimeout, c.Listen.Stream.TLS}, factory: factory, group: groupOf(ctx), listener: ln, serving: true}
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
		srv.tell()
	}()
	err := srv.netio.ServeListener(ctx, srv.listener, srv.accept)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// accept makes a transport of a connection. It is the handler of the streams' server,
// which has shaken hands.
func (srv *Server) accept(ctx context.Context, s *netio.Stream) error {
	p := srv.factory()
	modeOf(p)
	d, err := s.Detach(ctx)
	if err != nil {
		return err
	}
	t := newTransport(&srv.config, &srv.choices, d, p, srv.group)
	t.server = srv
	srv.open++
	t.queue()
	return nil
}

// Addr returns the first address, with its port, also after Close.
func (srv *Server) Addr() net.Addr { return srv.listener.Addr() }

// Addrs returns all addresses.
func (srv *Server) Addrs() []net.Addr { return srv.listener.Addrs() }

// IsServing reports whether the server accepts connections.
func (srv *Server) IsServing() bool {
	srv.held("IsServing")
	return !srv.closed && srv.serving
}

func (srv *Server) held(call string) { mustHold(srv.loop, "Server."+call, srv) }

// Close ends accepting. Connections that exist go on. It does not wait. A second Close
// does nothing.
func (srv *Server) Close() {
	srv.held("Close")
	if srv.closed {
		return
	}
	srv.closed = true
	if srv.serving {
		_ = srv.listener.Close() // it reports a socket file that cannot be removed
	}
}

// CloseClients calls Close of every transport of the server.
func (srv *Server) CloseClients() { srv.each("CloseClients", (*Transport).Close) }

// AbortClients calls Abort of every transport of the server.
func (srv *Server) AbortClients() { srv.each("AbortClients", (*Transport).Abort) }

func (srv *Server) each(call string, fn func(*Transport)) {
	srv.held(call)
	for _, t := range srv.group.all() {
		if t.server == srv {
			fn(t)
		}
	}
}

// Wait waits until the server accepts no connections any more and its last transport
// has ended. PEP 3156's wait_closed.
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

// forget notes the end of a transport.
func (srv *Server) forget() {
	if srv != nil {
		srv.open--
		srv.tell()
	}
}

func (srv *Server) tell() {
	if !srv.serving && srv.open == 0 {
		srv.ended.WakeAll()
	}
}

// String is the first address.
func (srv *Server) String() string { return srv.listener.String() }

// Reason and Owners are for reports.
func (srv *Server) Reason() string { return "the end of the server " + srv.String() }

// Owners returns nil: no task of this loop.
func (srv *Server) Owners() []*task.Ref { return nil }
