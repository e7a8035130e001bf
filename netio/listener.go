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

// portTries is how often Listen looks for a free port that several addresses
// can share.
const portTries = 16

// A ListenConfig holds the choices of Listen. The zero value is the default.
type ListenConfig struct {
	// Backlog is how many connections the kernel holds before Accept, on each
	// address. Default 1024; the system may have a lower limit (on Linux
	// net.core.somaxconn), which holds silently.
	Backlog int

	// ReusePort lets several sockets share the address (SO_REUSEPORT), of other
	// loops or processes, all of which must say so. On Linux the kernel spreads
	// connections over them; those in the queue of one that closes are lost.
	ReusePort bool

	// KeepFile leaves the file of a UNIX socket in place when the listener is
	// closed.
	KeepFile bool

	// Control, if it is not nil, is called with each socket before it is bound, like
	// that of a [Dialer]. The network is "tcp4", "tcp6" or "unix".
	Control func(network, address string, c syscall.RawConn) error

	// Resolver looks up names; nil is that of the system, or of the simulated world.
	Resolver HostResolver

	// ResolveTimeout bounds the look-up of a name. Default 30 s; negative is none.
	ResolveTimeout time.Duration

	// Stream is for the streams that Accept returns.
	Stream StreamConfig
}

// A Listener accepts connections, on one or several addresses. It belongs to one
// loop, and one task at a time may Accept. It must be closed.
type Listener struct {
	loop    *loop.Loop
	network string
	config  StreamConfig
	sockets []*socket   // at least one, and the same ones, once Listen has returned
	file    *socketFile // of a UNIX socket; nil if it is not to be removed
	closed  bool
	served  *servedListener // the one that serves it, or nil

	acceptor *task.Ref     // who is in Accept
	next     int           // the socket that Accept tries first
	pending  int           // operations in flight
	ready    []poll.Handle // accepted, and not yet returned
	err      error         // of the Accept at work
}

// A socket is one address of a listener, with the one operation that can be in
// flight there.
type socket struct {
	listener *Listener
	op       poll.Op
}

// Listen listens on an address of the networks "tcp", "tcp4", "tcp6"
// ("host:port") or "unix". It is ListenConfig{}.Listen.
func Listen(ctx context.Context, network, address string) (*Listener, error) {
	return ListenConfig{}.Listen(ctx, network, address)
}

// Listen listens on address. An empty host means all addresses of this machine,
// and a port of 0 chooses one. If the host has several addresses, Listen listens on
// all of them, once on each, with one port, IPv4 and IPv6 on sockets of their own.
// It leaves out addresses that this machine does not have.
//
// Listen replaces the stale file of a UNIX socket, which no process has open any
// more. Any other file is an error, EADDRINUSE. A live server does not notice the
// attempt. If several servers replace a file at the same time, one succeeds and the
// others get EADDRINUSE; for that, Listen locks a file beside it for a moment, with
// the suffix ".baton-lock".
//
// Errors are [*net.OpError] of the operation "listen", or the [*task.Canceled] of a
// cancel during a look-up. Nothing is open then.
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
		// A port that the first address has got may be taken on another one.
		if err = l.open(c, addrs); t.port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// places returns the addresses to listen on. It may switch, to look up a name. For
// an empty host it returns one of each family: an IPv6 socket takes no IPv4
// connections here (IPV6_V6ONLY; RFC 3493, section 5.3), whatever the settings of
// the system are.
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

// open makes the sockets. If the port is 0, all get the port of the first. An address
// that this machine does not have, or whose family it does not know, is an error only
// if no other address works. After an error nothing is open.
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

// add makes one socket and appends it to l.sockets. Errors are [*net.OpError].
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

// append adds a handle that listens.
func (l *Listener) append(h poll.Handle) {
	s := &socket{listener: l}
	s.op = poll.Op{Kind: poll.Accept, Handle: h, Owner: s}
	l.sockets = append(l.sockets, s)
}

// Addr returns the first address, with its port, also after Close.
func (l *Listener) Addr() net.Addr { return l.sockets[0].op.Handle.LocalAddr() }

// Addrs returns all addresses, in the order of the resolver, IPv4 first for an
// empty host. The slice is the caller's.
func (l *Listener) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(l.sockets))
	for i, s := range l.sockets {
		addrs[i] = s.op.Handle.LocalAddr()
	}
	return addrs
}

// Accept waits for the next connection. Errors are [*net.OpError] of the
// operation "accept"; running out of descriptors is one (EMFILE, ENFILE), and
// leaves the connection in the kernel's queue for a later Accept. A cancel ends
// the wait with a [*task.Canceled], unless there is a connection by then. A second
// task that accepts gets a [*BusyError], and so does every task while a [Server]
// serves the listener. Connections that died in the queue are skipped (ECONNABORTED
// is no error here); of one that dies later its stream tells.
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
	if l.closed { // the acceptor that this ends may not have run yet
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
	case l.closed: // perhaps since the connection came
		return nil, l.opError("accept", net.ErrClosed)
	case l.err == poll.ErrCanceled:
		return nil, canceled(ctx)
	}
	return nil, l.opError("accept", l.err)
}

// busy is the error of r, which wants to accept, if another task has the listener: that
// of a server, also while it does not accept, or one in Accept. A closed listener has
// no such task.
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

// collect tries every socket, and parks if none has a connection. It leaves a
// connection in l.ready or an error in l.err, and nothing in flight: what ends the
// wait on one socket, ends it on all. An operation in flight without an Accept would
// keep the loop from being idle, and take connections that may never be asked for.
// Connections that come to several sockets at once wait in l.ready.
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

// Complete takes a connection, and the other sockets' operations back. It is the
// loop's to call.
func (s *socket) Complete(*poll.Op) {
	l := s.listener
	l.pending--
	s.finish()
	if l.pending == 0 {
		l.acceptor.Wake()
		return
	}
	l.cancelOps()
}

// finish takes the result of a socket's operation. Accept returns an error only if
// no connection came, and ErrCanceled only if there is no other error.
func (s *socket) finish() {
	l := s.listener
	switch {
	case s.op.Err == nil && l.closed: // the connection came before Close
		_ = s.op.Accepted.Abort() // no Accept has returned it
	case s.op.Err == nil:
		l.ready = append(l.ready, s.op.Accepted)
	case l.err == nil || l.err == poll.ErrCanceled:
		l.err = s.op.Err
	}
	s.op.Accepted = nil
}

// recall cancels what is in flight. Complete is still called for each operation.
func (l *Listener) cancelOps() {
	for _, s := range l.sockets {
		l.loop.Poller().Cancel(&s.op)
	}
}

// accepting is a listener as what its acceptor waits for.
type acceptWait Listener

// Cancel makes it a task.Waiter: the operations come back first.
func (a *acceptWait) Cancel(*task.Ref) bool {
	(*Listener)(a).cancelOps()
	return false
}

// Reason and Owners say in reports what an Accept waits for: no task of this loop.
func (a *acceptWait) Reason() string      { return "a connection to " + (*Listener)(a).String() }
func (a *acceptWait) Owners() []*task.Ref { return nil }

// String is the first address.
func (l *Listener) String() string { return name(l.Addr()) }

// Close ends listening. An Accept that waits ends with net.ErrClosed, as do later
// calls, a second Close included. Connections that were not accepted are closed, over
// TCP with a reset. Streams that Accept has returned stay open. Close does not wait, and
// the address can be listened on again when it returns.
func (l *Listener) Close() error {
	mustHold(l.loop, "Listener.Close", l)
	if l.closed {
		return l.opError("close", net.ErrClosed)
	}
	l.closed = true
	if l.served != nil { // it may wait for something else than a connection
		l.served.changed.WakeOne()
	}
	return l.shut()
}

// shut closes all sockets. It removes the file of a UNIX socket first, so that no Dial
// finds it and is refused.
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

// opError dresses an error of the world, in the words that package net uses.
func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.network, Addr: l.Addr(), Err: err}
}
