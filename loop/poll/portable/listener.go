// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"context"
	"net"
	"syscall"
	"time"

	"baton/loop/poll"
)

// An acceptor is a *net.TCPListener or a *net.UnixListener. Its deadline cancels an Accept.
type acceptor interface {
	net.Listener
	SetDeadline(time.Time) error
}

// A listener is a Handle for an acceptor. It has one direction, accept.
type listener struct {
	poller   *Poller
	acceptor acceptor
	accept   direction
	closed   bool // belongs to the loop

	imported  bool // set keepAlive on accepted connections; package net does not
	keepAlive net.KeepAliveConfig
}

// Listen returns a listening socket with the backlog that package net chooses. A TCP address
// without an IP means every IPv4 address. The caller removes the file of a UNIX socket.
func (p *Poller) Listen(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	if p.closed {
		return nil, listenError(addr, net.ErrClosed)
	}
	if isDatagramAddr(addr) {
		return p.listenPackets(addr, opts)
	}
	a, err := listen(addr, opts)
	if err != nil {
		return nil, err
	}
	l := &listener{poller: p, acceptor: a}
	l.accept.init(p, l.acceptOne, a.SetDeadline)
	p.track(l)
	return l, nil
}

// listen opens the socket. Package net sets SO_REUSEADDR and close-on-exec. The network "tcp6"
// excludes IPv4. Package net would remove the file of a UNIX socket on Close; listen turns that
// off, because the file may belong to another socket by then.
func listen(addr net.Addr, opts poll.ListenOptions) (acceptor, error) {
	var network string
	switch addr := addr.(type) {
	case *net.TCPAddr:
		network = tcpNetwork(addr)
	case *net.UnixAddr:
		network = "unix"
	default:
		return nil, listenError(addr, unsupportedAddr(addr))
	}
	config := net.ListenConfig{KeepAlive: -1, KeepAliveConfig: opts.KeepAlive} // -1: no probes, unless KeepAliveConfig enables them
	config.SetMultipathTCP(false)
	if network == "unix" {
		opts.ReusePort = false
	}
	config.Control = controlFunc(opts)
	// Listen does not wait, because the address is numeric or a path.
	ln, err := config.Listen(context.Background(), network, addr.String())
	if err != nil {
		return nil, err
	}
	if ln, ok := ln.(*net.UnixListener); ok {
		ln.SetUnlinkOnClose(false)
	}
	return ln.(acceptor), nil
}

// controlFunc returns the function that net.ListenConfig calls with a new socket, or nil.
func controlFunc(opts poll.ListenOptions) func(network, address string, c syscall.RawConn) error {
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

// tcpNetwork returns the network of sockets that accept connections to addr, and only of its
// family. With "tcp" and no IP, package net would open one socket for both families.
func tcpNetwork(addr *net.TCPAddr) string {
	if len(addr.IP) == 0 || addr.IP.To4() != nil {
		return "tcp4"
	}
	return "tcp6"
}

// listenError returns an error of the operation "listen" that package net did not return.
func listenError(addr net.Addr, err error) error {
	opErr := &net.OpError{Op: "listen", Addr: addr, Err: err}
	if addr != nil {
		opErr.Net = addr.Network()
	}
	return opErr
}

// owner implements socket.
func (l *listener) owner() *Poller { return l.poller }

// start implements socket. A listener supports only Accept.
func (l *listener) start(op *poll.Op) bool {
	switch {
	case l.closed:
		return fail(op, net.ErrClosed)
	case op.Kind != poll.Accept:
		return fail(op, wrongKind(op.Kind, "a listener"))
	}
	return l.accept.submit(op)
}

// acceptOne accepts one connection, on the goroutine of l.accept. A connection that comes in
// spite of a Cancel is reported and not lost. Package net skips connections that died in the
// queue.
func (l *listener) acceptOne(op *poll.Op) {
	accepted, err := l.acceptor.Accept()
	if err != nil {
		op.Err = unwrap(err)
		return
	}
	if tcp, ok := accepted.(*net.TCPConn); ok && l.imported {
		_ = tcp.SetKeepAliveConfig(l.keepAlive) // ignored, as in package net
	}
	op.Accepted = newConn(l.poller, accepted.(stream))
}

// LocalAddr returns the address of l, with the port that was chosen, also after Close.
func (l *listener) LocalAddr() net.Addr { return l.acceptor.Addr() }

// RemoteAddr returns nil: a listener has no peer.
func (l *listener) RemoteAddr() net.Addr { return nil }

// CloseWrite returns an error: a listener has no writing direction.
func (l *listener) CloseWrite() error {
	err := wrongKind(poll.Write, "a listener")
	if l.closed {
		err = net.ErrClosed
	}
	return &net.OpError{Op: "close", Net: l.LocalAddr().Network(), Addr: l.LocalAddr(), Err: err}
}

// SetNoDelay does nothing: accepted connections send at once.
func (l *listener) SetNoDelay(bool) error {
	if l.closed {
		return setError(l.LocalAddr(), net.ErrClosed)
	}
	return nil
}

// Close closes l. When it returns, an Accept in flight is queued for Wait. If the Accept has
// accepted a connection, it reports the connection, as after a Cancel.
func (l *listener) Close() error {
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	l.poller.untrack(l)
	err := l.acceptor.Close()
	l.accept.wait()
	return err
}

// Abort is Close. The kernel resets connections that were not accepted in both cases.
func (l *listener) Abort() error { return l.Close() }
