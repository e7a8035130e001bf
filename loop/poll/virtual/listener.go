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

// defaultBacklog is what package poll promises for a Backlog of zero.
const defaultBacklog = 1024

// A listener is a listening socket. Connections go through it in this order:
// waiting for room in the backlog (still unanswered), backlog (established,
// not accepted), accepted. A kernel lets those wait who find the backlog full,
// and asks again on their behalf; here they are simply the next in line.
type listener struct {
	poller *Poller
	addr   net.Addr
	at     netip.AddrPort // TCP only
	share  bool           // ListenOptions.ReusePort

	waiting []*poll.Op // Connect, the oldest first
	backlog []*conn    // the server's ends, the oldest first
	limit   int        // of backlog, above zero
	accept  *poll.Op   // Accept or Readable in flight
	closed  bool
}

// listen makes a listener with an address. Its errors are bare; Listen dresses
// them, once for all of them.
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
		if err := malformed(addr); err != nil {
			return nil, err
		}
		return l, p.net.bind(l, addrPort(addr), opts.ReusePort)
	case *net.UnixAddr:
		return l, p.net.bindUnix(l, addr)
	}
	return nil, unsupported(addr)
}

// owner and remove make a listener a place.
func (l *listener) owner() *Poller { return l.poller }

// remove forgets an Accept or Readable, or a Connect that waits for room. A
// connection in the backlog is no operation any more: it waits for the next
// Accept, whoever gave up on an earlier one.
func (l *listener) remove(op *poll.Op) {
	if l.accept == op {
		l.accept = nil
		return
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(other *poll.Op) bool { return other == op })
}

// start begins an operation on l. What a kernel refuses for a listening socket
// is refused with its error; a write would fail at once, hence l is Writable.
// Accept and Readable are one direction, and wait for the same thing.
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
		l.serve()
	}
}

// arrive is the coming of a Connect: established if there is room. It joins the
// queue even then, so that nobody overtakes those who came before.
func (l *listener) arrive(op *poll.Op) {
	op.Private.Any = l
	l.waiting = append(l.waiting, op)
	l.serve()
}

// serve moves connections on as far as they can go. It is called whenever one
// has come or room was made; every change of the three queues goes through it,
// so they move in one order, the order of arrival. Connections that were reset
// while nobody accepted them are skipped, as the seam has it: they died in the
// queue, and their bytes with them.
//
// It ends, since each round of it takes something from a queue that nobody adds
// to in between.
func (l *listener) serve() {
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

// establish answers a Connect with one end of a new connection, or with the
// reason why there is none (no port is free, or not the one asked for), and
// puts the other one into the backlog. Whoever dialled may write before anybody
// accepts, as with TCP. Only now does it get its port: a Connect that never
// arrives holds none. The client holds the port for both ends; the server's
// side of the connection is on the listener's port, which is shared.
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

// LocalAddr is where l listens, with the port that was chosen, also after Close.
func (l *listener) LocalAddr() net.Addr { return l.addr }

// RemoteAddr is nil.
func (l *listener) RemoteAddr() net.Addr { return nil }

// CloseWrite fails with ENOTCONN: a listening socket is not connected.
func (l *listener) CloseWrite() error {
	if l.isClosed() {
		return closeError(l.addr, net.ErrClosed)
	}
	return closeError(l.addr, os.NewSyscallError("shutdown", syscall.ENOTCONN))
}

// SetNoDelay has no effect on what l accepts: nothing is ever delayed.
func (l *listener) SetNoDelay(bool) error { return setNoDelay(l.addr, l.isClosed()) }

// Close ends listening, and its name is free at once. Connections that nobody
// accepted are reset, and those that still waited for room are refused, in the
// order in which they came. The Accept in flight is told first: it belongs to
// who has called Close, and the rest is news for others.
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

// Abort is Close: what is in the backlog is reset by that, too.
func (l *listener) Abort() error { return l.Close() }

// isClosed also covers the handles of a closed world.
func (l *listener) isClosed() bool { return l.closed || l.poller.closed }
