// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"context"
	"net"
	"syscall"
	"time"

	"baton/loop/poll"
)

// An acceptor is what *net.TCPListener and *net.UnixListener have in common. Its
// deadline is what cancels an Accept.
type acceptor interface {
	net.Listener
	SetDeadline(time.Time) error
}

// A listener is a Handle for an acceptor. Accept is its one direction.
type listener struct {
	poller   *Poller
	acceptor acceptor
	accept   lane
	closed   bool // belongs to the loop

	imported  bool // package net does not know keepAlive
	keepAlive net.KeepAliveConfig
}

// Listen makes a listening socket with the backlog that package net chooses. A
// TCP address without an IP means every IPv4 address. The file of a UNIX socket
// is the caller's to remove.
func (p *Poller) Listen(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	if p.closed {
		return nil, listenError(addr, net.ErrClosed)
	}
	if isDatagrams(addr) {
		return p.listenPackets(addr, opts)
	}
	a, err := listen(addr, opts)
	if err != nil {
		return nil, err
	}
	l := &listener{poller: p, acceptor: a}
	l.accept.open(p, l.acceptOne, a.SetDeadline)
	p.track(l)
	return l, nil
}

// listen opens the socket. SO_REUSEADDR and close-on-exec are what package net
// does anyway, and "tcp6" is what keeps IPv4 out. Package net would remove the
// file of a UNIX socket on Close; the seam leaves that to the caller, who knows
// whether it is still this socket's.
func listen(addr net.Addr, opts poll.ListenOptions) (acceptor, error) {
	var network string
	switch addr := addr.(type) {
	case *net.TCPAddr:
		network = family(addr)
	case *net.UnixAddr:
		network = "unix"
	default:
		return nil, listenError(addr, unsupported(addr))
	}
	config := net.ListenConfig{KeepAlive: -1, KeepAliveConfig: opts.KeepAlive} // -1 is none unless that is enabled.
	config.SetMultipathTCP(false)
	if network == "unix" {
		opts.ReusePort = false
	}
	config.Control = inspect(opts)
	// Nothing in it waits: the address is a number or a path.
	ln, err := config.Listen(context.Background(), network, addr.String())
	if err != nil {
		return nil, err
	}
	if ln, ok := ln.(*net.UnixListener); ok {
		ln.SetUnlinkOnClose(false)
	}
	return ln.(acceptor), nil
}

// inspect returns the function that net.ListenConfig calls with a new socket, or nil.
func inspect(opts poll.ListenOptions) func(network, address string, c syscall.RawConn) error {
	if !opts.ReusePort {
		return opts.Control
	}
	return func(network, address string, c syscall.RawConn) error {
		if err := reusePort(c); err != nil || opts.Control == nil {
			return err
		}
		return opts.Control(network, address, c)
	}
}

// family is the network whose sockets take connections to addr and to no
// address of the other family. Plain "tcp" would make one socket for both where
// the system can, whenever no IP is given.
func family(addr *net.TCPAddr) string {
	if len(addr.IP) == 0 || addr.IP.To4() != nil {
		return "tcp4"
	}
	return "tcp6"
}

// listenError is an error of the operation "listen" that package net had no
// occasion to find.
func listenError(addr net.Addr, err error) error {
	opErr := &net.OpError{Op: "listen", Addr: addr, Err: err}
	if addr != nil {
		opErr.Net = addr.Network()
	}
	return opErr
}

// owner makes a listener a socket, with start.
func (l *listener) owner() *Poller { return l.poller }

// start accepts; nothing else can be done with l.
func (l *listener) start(op *poll.Op) bool {
	switch {
	case l.closed:
		return fail(op, net.ErrClosed)
	case op.Kind != poll.Accept:
		return fail(op, misfit(op.Kind, "a listener"))
	}
	return l.accept.submit(op)
}

// acceptOne takes one connection. The goroutine of l.accept calls it. One that
// comes in spite of a Cancel is reported, and not lost. Package net skips those
// that died in the queue.
func (l *listener) acceptOne(op *poll.Op) {
	accepted, err := l.acceptor.Accept()
	if err != nil {
		op.Err = cause(err)
		return
	}
	if tcp, ok := accepted.(*net.TCPConn); ok && l.imported {
		_ = tcp.SetKeepAliveConfig(l.keepAlive) // as in package net, no reason to fail
	}
	op.Accepted = newConn(l.poller, accepted.(stream))
}

// LocalAddr returns where l listens, with the port that was chosen, also after
// Close.
func (l *listener) LocalAddr() net.Addr { return l.acceptor.Addr() }

// RemoteAddr returns nil: a listener has no peer.
func (l *listener) RemoteAddr() net.Addr { return nil }

// CloseWrite fails: there is nothing to write to.
func (l *listener) CloseWrite() error {
	err := misfit(poll.Write, "a listener")
	if l.closed {
		err = net.ErrClosed
	}
	return &net.OpError{Op: "close", Net: l.LocalAddr().Network(), Addr: l.LocalAddr(), Err: err}
}

// SetNoDelay does nothing: what l accepts sends at once.
func (l *listener) SetNoDelay(bool) error {
	if l.closed {
		return setError(l.LocalAddr(), net.ErrClosed)
	}
	return nil
}

// Close ends listening. An Accept in flight is queued for Wait when it returns.
// What it had accepted already is its result in spite of that, as with a Cancel.
func (l *listener) Close() error {
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	l.poller.untrack(l)
	err := l.acceptor.Close()
	l.accept.end()
	return err
}

// Abort is Close. The kernel resets what nobody has accepted in any case.
func (l *listener) Abort() error { return l.Close() }
