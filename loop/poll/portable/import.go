// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"baton/loop/poll"
	"baton/loop/poll/internal/ancillary"
)

var _ poll.Importer = (*Poller)(nil)

// Import implements [poll.Importer]. Package net duplicates the descriptor.
func (p *Poller) Import(f *os.File, kind poll.Kind, opts poll.SocketOptions) (poll.Handle, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	if f.Fd() == ^uintptr(0) {
		return nil, os.ErrClosed
	}
	var c any
	var err error
	switch kind {
	case poll.Accept:
		c, err = net.FileListener(f)
	case poll.Read:
		c, err = net.FileConn(f)
	case poll.Receive:
		c, err = net.FilePacketConn(f)
	default:
		return nil, syscall.EINVAL
	}
	if err != nil {
		return nil, unwrap(err)
	}
	h, err := p.imported(c, kind, opts)
	if err != nil {
		_ = c.(interface{ Close() error }).Close()
	}
	return h, err
}

// imported returns a handle for a socket of package net, or an error if the socket does not fit
// kind. Package net does not distinguish a listener from a connected socket.
func (p *Poller) imported(c any, kind poll.Kind, opts poll.SocketOptions) (poll.Handle, error) {
	if isListening(c) != (kind == poll.Accept) {
		return nil, syscall.EINVAL
	}
	switch c := c.(type) {
	case acceptor:
		if c.Addr().Network() == "unixpacket" {
			return nil, unsupportedAddr(c.Addr())
		}
		l := &listener{poller: p, acceptor: c, imported: true, keepAlive: opts.KeepAlive}
		l.accept.init(p, l.acceptOne, c.SetDeadline)
		p.track(l)
		return l, nil
	case *net.TCPConn:
		if c.RemoteAddr() == nil {
			return nil, os.NewSyscallError("getpeername", syscall.ENOTCONN)
		}
		_ = c.SetKeepAliveConfig(opts.KeepAlive) // ignored, as in package net
		return newConn(p, c), nil
	case *net.UDPConn:
		if kind == poll.Receive {
			h := p.newPacketConn(c)
			_ = h.option(func(fd int) error { return ancillary.Enable(fd, h.isIPv4()) }) // if it fails, packets have no Local and no ECN
			return h, nil
		}
	case *net.UnixConn:
		switch network := c.LocalAddr().Network(); {
		case network == "unixpacket":
			return nil, unsupportedAddr(c.LocalAddr())
		case kind == poll.Receive && network == "unixgram":
			return p.newPacketConn(c), nil
		case kind == poll.Read && network == "unix" && c.RemoteAddr() == nil:
			return nil, os.NewSyscallError("getpeername", syscall.ENOTCONN)
		case kind == poll.Read && network == "unix":
			return newConn(p, c), nil
		}
	default:
		return nil, fmt.Errorf("portable: cannot import a %T; use a TCP, UDP or UNIX socket: %w", c, errors.ErrUnsupported)
	}
	return nil, syscall.EINVAL
}
