// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"baton/loop/poll"
)

// defaultBacklog is the default of package poll.
const defaultBacklog = 1024

// A listener is a listening socket. A connection passes three states: waiting (the Connect is
// in flight, because the backlog is full), in the backlog (established, not accepted) and
// accepted. A kernel retries connections that find the backlog full; here they wait in order of
// arrival.
type listener struct {
	poller *Poller
	addr   net.Addr
	at     netip.AddrPort // for TCP only
	share  bool           // ListenOptions.ReusePort

	waiting []*poll.Op // Connects in flight, oldest first
	backlog []*conn    // the server's ends, oldest first
	limit   int        // largest length of backlog, > 0
	accept  *poll.Op   // Accept or Readable in flight
	closed  bool
}

// listen returns a listener. Its errors are bare; Listen wraps them.
func (p *Poller) listen(addr net.Addr, opts poll.ListenOptions) (*listener, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	l := &listener{poller: p, limit: opts.Backlog}
	if l.limit <= 0 {
		l.limit = defaultBacklog
	}
	switch addr := addr.(type) {
	case *net.TCPAddr:
		if err := checkIP(addr); err != nil {
			return nil, err
		}
		return l, p.net.bind(l, addrPort(addr), opts.ReusePort)
	case *net.UnixAddr:
		return l, p.net.bindUnix(l, addr)
	}
	return nil, unsupportedAddr(addr)
}

// owner implements location.
func (l *listener) owner() *Poller { return l.poller }

// remove implements location. It removes an Accept, a Readable, or a waiting Connect. A
// connection in the backlog remains there for the next Accept.
func (l *listener) remove(op *poll.Op) {
	if l.accept == op {
		l.accept = nil
		return
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(other *poll.Op) bool { return other == op })
}

// start starts op on l. Operations that a listening socket does not support get the error of a
// kernel. A write would not wait but fail, so a Writable completes at once. Accept and Readable
// use the same direction.
func (l *listener) start(op *poll.Op) {
	switch {
	case l.closed:
		l.poller.finish(op, net.ErrClosed)
	case op.Kind == poll.Writable:
		l.poller.finish(op, nil)
	case op.Kind == poll.Read || op.Kind == poll.Write:
		l.poller.finish(op, os.NewSyscallError(op.Kind.String(), syscall.ENOTCONN))
	case op.Kind == poll.Receive || op.Kind == poll.Send:
		l.poller.finish(op, errStreams)
	case l.accept != nil:
		l.poller.finish(op, poll.ErrBusy)
	default:
		l.accept = op
		op.Private.Any = l
		l.advance()
	}
}

// enqueue adds a Connect. It always joins the queue first, so that Connects complete in order of
// arrival.
func (l *listener) enqueue(op *poll.Op) {
	op.Private.Any = l
	l.waiting = append(l.waiting, op)
	l.advance()
}

// advance moves connections to their next state as far as possible. Every change of the queues
// and of accept ends with a call of advance, so connections advance in order of arrival. A
// connection that was reset in the backlog is skipped, as poll.Accept promises.
//
// advance returns, because every iteration takes something from a queue, and nothing is added
// in between.
func (l *listener) advance() {
	for {
		for len(l.waiting) > 0 && len(l.backlog) < l.limit {
			op := l.waiting[0]
			l.waiting = slices.Delete(l.waiting, 0, 1)
			l.establish(op)
		}
		for len(l.backlog) > 0 && l.backlog[0].reset {
			l.backlog = slices.Delete(l.backlog, 0, 1)
		}
		if l.accept == nil || len(l.backlog) == 0 {
			return
		}
		op := l.accept
		l.accept = nil
		if op.Kind == poll.Accept {
			op.Accepted = l.backlog[0]
			l.backlog = slices.Delete(l.backlog, 0, 1)
		}
		l.poller.finish(op, nil)
	}
}

// establish completes a Connect with one end of a new connection, and adds the other end to the
// backlog. If no port is free, or the requested port is in use, the Connect fails. The client
// may write before the connection is accepted, as with TCP. A Connect gets its port only here,
// so a Connect that is never answered holds no port. The client's end holds the port for both
// ends; the server's end uses the port of the listener.
func (l *listener) establish(op *poll.Op) {
	client, server := newPair(l.poller, l.poller)
	switch to := op.Addr.(type) {
	case *net.TCPAddr:
		remote := destination(to)
		local, err := l.poller.net.source(op.Choices().Local, remote)
		if err != nil {
			l.poller.finish(op, err)
			return
		}
		l.poller.net.hold(local.Port())
		client.port = local.Port()
		client.local, client.remote = net.TCPAddrFromAddrPort(local), net.TCPAddrFromAddrPort(remote)
		server.local, server.remote = net.TCPAddrFromAddrPort(remote), net.TCPAddrFromAddrPort(local)
	case *net.UnixAddr:
		local := &net.UnixAddr{Net: "unix"}
		if from, ok := op.Choices().Local.(*net.UnixAddr); ok && from != nil {
			local.Name = from.Name
		}
		client.local, client.remote = local, l.addr
		server.local, server.remote = l.addr, local
	}
	op.Handle = client
	l.backlog = append(l.backlog, server)
	l.poller.finish(op, nil)
}

// LocalAddr returns the address of l, with the port that was chosen, also after Close.
func (l *listener) LocalAddr() net.Addr { return l.addr }

// RemoteAddr returns nil.
func (l *listener) RemoteAddr() net.Addr { return nil }

// CloseWrite returns ENOTCONN: a listening socket is not connected.
func (l *listener) CloseWrite() error {
	if l.isClosed() {
		return closeError(l.addr, net.ErrClosed)
	}
	return closeError(l.addr, os.NewSyscallError("shutdown", syscall.ENOTCONN))
}

// SetNoDelay has no effect: nothing is delayed.
func (l *listener) SetNoDelay(bool) error { return setNoDelay(l.addr, l.isClosed()) }

// Close closes l. Its address is free at once. It resets the connections in the backlog and
// refuses the waiting Connects, in order of arrival. The Accept in flight completes first.
func (l *listener) Close() error {
	if l.isClosed() {
		return net.ErrClosed
	}
	l.closed = true
	l.poller.net.unbind(l)
	if op := l.accept; op != nil {
		l.accept = nil
		l.poller.finish(op, net.ErrClosed)
	}
	for _, c := range l.backlog {
		c.end(true)
	}
	for _, op := range l.waiting {
		l.poller.finish(op, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	l.backlog, l.waiting = nil, nil
	return nil
}

// Abort is Close, which resets the backlog as well.
func (l *listener) Abort() error { return l.Close() }

// isClosed reports whether l or its poller is closed.
func (l *listener) isClosed() bool { return l.closed || l.poller.closed }
