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

// Import implements [poll.Importer]. Package net makes the duplicate.
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
		return nil, cause(err)
	}
	h, err := p.imported(c, kind, opts)
	if err != nil {
		_ = c.(interface{ Close() error }).Close()
	}
	return h, err
}

// imported makes a handle of a socket of package net, unless it is of no use for kind.
// Package net does not tell a listener from a socket that is connected.
func (p *Poller) imported(c any, kind poll.Kind, opts poll.SocketOptions) (poll.Handle, error) {
	if isListening(c) != (kind == poll.Accept) {
		return nil, syscall.EINVAL
	}
	switch c := c.(type) {
	case acceptor:
		if c.Addr().Network() == "unixpacket" {
			return nil, unsupported(c.Addr())
		}
		l := &listener{poller: p, acceptor: c, imported: true, keepAlive: opts.KeepAlive}
		l.accept.open(p, l.acceptOne, c.SetDeadline)
		p.track(l)
		return l, nil
	case *net.TCPConn:
		if c.RemoteAddr() == nil {
			return nil, os.NewSyscallError("getpeername", syscall.ENOTCONN)
		}
		_ = c.SetKeepAliveConfig(opts.KeepAlive) // as in package net, no reason to fail
		return newConn(p, c), nil
	case *net.UDPConn:
		if kind == poll.Receive {
			h := p.newPackets(c)
			_ = h.option(func(fd int) error { return ancillary.Enable(fd, h.isIPv4()) }) // without it packets say less
			return h, nil
		}
	case *net.UnixConn:
		switch network := c.LocalAddr().Network(); {
		case network == "unixpacket":
			return nil, unsupported(c.LocalAddr())
		case kind == poll.Receive && network == "unixgram":
			return p.newPackets(c), nil
		case kind == poll.Read && network == "unix" && c.RemoteAddr() == nil:
			return nil, os.NewSyscallError("getpeername", syscall.ENOTCONN)
		case kind == poll.Read && network == "unix":
			return newConn(p, c), nil
		}
	default:
		return nil, fmt.Errorf("portable: import of a %T: %w", c, errors.ErrUnsupported)
	}
	return nil, syscall.EINVAL
}
