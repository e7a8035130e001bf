// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// portTries is how often Listen picks a new port, if the port of the first address is in
// use on another address.
const portTries = 16

// A ListenConfig configures Listen. The zero value is the default.
type ListenConfig struct {
	// Backlog is how many connections the kernel queues before Accept, on each address. The
	// default is 1024. The system may silently enforce a lower limit (net.core.somaxconn on
	// Linux).
	Backlog int

	// ReusePort lets sockets of other loops or processes share the address (SO_REUSEPORT).
	// All of them must set it. On Linux the kernel distributes connections over these
	// sockets; when one of them closes, the connections in its queue are lost.
	ReusePort bool

	// KeepFile keeps the file of a UNIX socket when the listener is closed.
	KeepFile bool

	// Control, if not nil, is called with each socket before it is bound, like the Control
	// of a [Dialer]. The network is "tcp4", "tcp6" or "unix".
	Control func(network, address string, c syscall.RawConn) error

	// Resolver looks up names. Nil means the resolver of the system, or of the simulated
	// world.
	Resolver HostResolver

	// ResolveTimeout limits the look-up of a name. The default is 30 s; negative means no
	// limit.
	ResolveTimeout time.Duration

	// Stream configures the streams that Accept returns.
	Stream StreamConfig
}

// A Listener accepts connections, on one or several addresses. It belongs to one loop, and
// one task at a time may call Accept. A Listener must be closed.
type Listener struct {
	loop    *loop.Loop
	network string
	config  StreamConfig
	sockets []*listenSocket // at least one; does not change once Listen has returned
	file    *socketFile     // of a UNIX socket; nil if it must not be removed
	closed  bool
	served  *servedListener // by the ServeListener that uses it, or nil

	acceptor *task.Ref     // the task in Accept, or nil
	next     int           // the socket that Accept tries first
	pending  int           // operations in flight
	ready    []poll.Handle // accepted, and not yet returned
	err      error         // of the current Accept
}

// A listenSocket is one address of a listener, with the one operation that can be in flight
// there.
type listenSocket struct {
	listener *Listener
	op       poll.Op
}

// Listen listens on an address of the network "tcp", "tcp4" or "tcp6" ("host:port"), or
// "unix" (a path, or a name that begins with @). It is ListenConfig{}.Listen.
func Listen(ctx context.Context, network, address string) (*Listener, error) {
	return ListenConfig{}.Listen(ctx, network, address)
}

// Listen listens on address. An empty host means all addresses of this machine, and port 0
// means a free port. If the host has several addresses, Listen listens once on each of
// them, with one port. IPv4 and IPv6 get separate sockets. Listen skips addresses that this
// machine does not have.
//
// Listen replaces the file of a UNIX socket if no process has that socket open any more.
// With any other file it fails with EADDRINUSE. The check does not disturb a running
// server. If several servers replace a file at the same time, one of them succeeds, and the
// others fail with EADDRINUSE. To ensure this, Listen briefly locks a file with the suffix
// ".baton-lock" beside the socket.
//
// Errors are [*net.OpError] with Op "listen". A cancel during a look-up returns the
// [*task.Canceled]. After an error nothing is open.
func (c ListenConfig) Listen(ctx context.Context, network, address string) (*Listener, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	t, err := parse(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l := &Listener{loop: r.Loop(), network: network, config: c.Stream}
	if network == "unix" {
		if err := l.openUnix(c, t); err != nil {
			return nil, err
		}
		return l, nil
	}
	addrs, err := t.listenAddrs(ctx, c.Resolver, c.ResolveTimeout)
	if _, canceled := err.(*task.Canceled); canceled {
		return nil, err
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: t.addr(), Err: err}
	}
	for range portTries {
		// The port of the first address may be in use on another address.
		if err = l.open(c, addrs); t.port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// listenAddrs returns the addresses to listen on. It may switch, to look up a name. For an
// empty host it returns one address of each family: an IPv6 socket accepts no IPv4
// connections here (IPV6_V6ONLY; RFC 3493, section 5.3), whatever the system's default is.
func (t target) listenAddrs(ctx context.Context, from HostResolver, timeout time.Duration) ([]net.Addr, error) {
	if t.host != "" {
		return t.resolve(ctx, from, timeout)
	}
	var all []net.Addr
	if t.network != "tcp6" {
		all = append(all, &net.TCPAddr{IP: net.IPv4zero, Port: t.port})
	}
	if t.network != "tcp4" {
		all = append(all, &net.TCPAddr{IP: net.IPv6unspecified, Port: t.port})
	}
	return all, nil
}

// open makes the sockets. If the port is 0, all sockets get the port of the first one. An
// address that this machine does not have, or a family that it does not support, is an
// error only if no other address works. After an error nothing is open.
func (l *Listener) open(c ListenConfig, addrs []net.Addr) error {
	var missing error
	for _, addr := range addrs {
		at := *addr.(*net.TCPAddr)
		if at.Port == 0 && len(l.sockets) > 0 {
			at.Port = l.Addr().(*net.TCPAddr).Port
		}
		err := l.add(c, &at)
		switch {
		case err == nil:
		case errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL):
			missing = err
		default:
			l.shut()
			return err
		}
	}
	if len(l.sockets) == 0 {
		return missing
	}
	return nil
}

// add makes one socket and appends it to l.sockets. Errors are *net.OpError.
func (l *Listener) add(c ListenConfig, addr net.Addr) error {
	o := poll.ListenOptions{Backlog: c.Backlog, ReusePort: c.ReusePort, SocketOptions: c.Stream.socketOptions()}
	hook := control(&o.SocketOptions, c.Control)
	h, err := l.loop.Poller().Listen(addr, o)
	hook.rethrow(func() { _ = l.shut() })
	if err != nil {
		return err
	}
	l.append(h)
	return nil
}

// append appends a socket for h, which listens already.
func (l *Listener) append(h poll.Handle) {
	s := &listenSocket{listener: l}
	s.op = poll.Op{Kind: poll.Accept, Handle: h, Owner: s}
	l.sockets = append(l.sockets, s)
}

// Addr returns the first address, including its port. It works after Close too.
func (l *Listener) Addr() net.Addr { return l.sockets[0].op.Handle.LocalAddr() }

// Addrs returns all addresses, in the order of the resolver. For an empty host IPv4 comes
// first. The caller may change the slice.
func (l *Listener) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(l.sockets))
	for i, s := range l.sockets {
		addrs[i] = s.op.Handle.LocalAddr()
	}
	return addrs
}

// Accept waits for the next connection. If ctx is cancelled, it returns a [*task.Canceled],
// unless there is a connection by then.
//
// Errors are [*net.OpError] with Op "accept". If the process runs out of descriptors
// (EMFILE, ENFILE), the connection stays in the kernel's queue for a later Accept. Accept
// skips connections that failed in the queue (ECONNABORTED); if one fails later, the calls
// of its stream fail. While another task is in Accept, or a [Server] serves the listener,
// Accept returns a [*BusyError].
func (l *Listener) Accept(ctx context.Context) (*Stream, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if r.Loop() != l.loop {
		panicWrongLoop(r, l.loop, "Listener")
	}
	if err := l.busy(r); err != nil {
		return nil, err
	}
	if l.closed { // the previous acceptor may not have run since
		return nil, l.opError("accept", net.ErrClosed)
	}
	l.acceptor = r
	l.collect(ctx)
	l.acceptor = nil
	if len(l.ready) > 0 {
		h := l.ready[0]
		l.ready[0] = nil
		l.ready = l.ready[1:]
		return newStream(l.loop, h, l.config), nil
	}
	switch {
	case l.closed: // perhaps after the connection arrived
		return nil, l.opError("accept", net.ErrClosed)
	case l.err == poll.ErrCanceled:
		return nil, canceled(ctx)
	}
	return nil, l.opError("accept", l.err)
}

// busy returns the error for r, which wants to accept, if another task uses the listener:
// the task of a server, even while it does not accept, or a task in Accept. If the listener
// is closed, it returns nil.
func (l *Listener) busy(r *task.Ref) error {
	first := l.acceptor
	if l.served != nil && l.served.task != r {
		first = l.served.task
	}
	if first == nil || l.closed {
		return nil
	}
	return &BusyError{Op: "accept", First: first.String(), Second: r.String()}
}

// collect tries every socket, and parks if none has a connection. It leaves a connection in
// l.ready or an error in l.err, and no operation in flight: what ends the wait on one
// socket ends it on all. An operation in flight without an Accept would keep the loop from
// being idle, and would accept connections without need. Connections that arrive on several
// sockets at once stay in l.ready.
func (l *Listener) collect(ctx context.Context) {
	l.err = nil
	if len(l.ready) > 0 {
		return
	}
	for range l.sockets {
		s := l.sockets[l.next]
		l.next = (l.next + 1) % len(l.sockets) // so that no socket starves
		if l.loop.Driver().Submit(&s.op) {
			s.finish()
			break
		}
		l.pending++
	}
	if l.pending == 0 {
		return
	}
	if l.err != nil || len(l.ready) > 0 {
		l.cancelOps()
	}
	park(ctx, (*acceptWait)(l))
}

// Complete takes the result, and cancels the operations of the other sockets. Only the loop
// calls it.
func (s *listenSocket) Complete(*poll.Op) {
	l := s.listener
	l.pending--
	s.finish()
	if l.pending == 0 {
		l.acceptor.Wake()
		return
	}
	l.cancelOps()
}

// finish takes the result of an operation. Accept reports an error only if no connection
// arrived, and ErrCanceled only if there is no other error.
func (s *listenSocket) finish() {
	l := s.listener
	switch {
	case s.op.Err == nil && l.closed: // the connection arrived before Close
		_ = s.op.Accepted.Abort() // no Accept has returned it
	case s.op.Err == nil:
		l.ready = append(l.ready, s.op.Accepted)
	case l.err == nil || l.err == poll.ErrCanceled:
		l.err = s.op.Err
	}
	s.op.Accepted = nil
}

// cancelOps cancels the operations in flight. Each of them still calls Complete.
func (l *Listener) cancelOps() {
	for _, s := range l.sockets {
		l.loop.Poller().Cancel(&s.op)
	}
}

// acceptWait is a listener as a task.Waiter: what its acceptor waits for.
type acceptWait Listener

// Cancel cancels the operations; their completions wake the task.
func (a *acceptWait) Cancel(*task.Ref) bool {
	(*Listener)(a).cancelOps()
	return false
}

// Reason and Owners describe the wait. No task of this loop ends it.
func (a *acceptWait) Reason() string      { return "a connection to " + (*Listener)(a).String() }
func (a *acceptWait) Owners() []*task.Ref { return nil }

// String returns the first address as text.
func (l *Listener) String() string { return name(l.Addr()) }

// Close stops listening, and does not wait. A waiting Accept and later calls fail with
// net.ErrClosed, a second Close too. Connections that were not accepted are closed; over
// TCP they are reset. Streams that Accept has returned stay open. When Close returns, the
// address is free again.
func (l *Listener) Close() error {
	mustHold(l.loop, "Listener.Close", l)
	if l.closed {
		return l.opError("close", net.ErrClosed)
	}
	l.closed = true
	if l.served != nil { // the server may wait for something other than a connection
		l.served.changed.WakeOne()
	}
	return l.shut()
}

// shut closes all sockets. It removes the file of a UNIX socket first, so that no Dial
// finds the file and is refused.
func (l *Listener) shut() error {
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.remove())
	}
	for _, s := range l.sockets {
		errs = append(errs, s.op.Handle.Close())
	}
	for _, h := range l.ready {
		_ = h.Abort() // no Accept has returned it
	}
	l.ready = nil
	if !l.closed { // Listen has failed, and may try again
		l.sockets = nil
	}
	return errors.Join(errs...)
}

// opError wraps an error of the network, with the operation names of package net.
func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.network, Addr: l.Addr(), Err: err}
}
