// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"context"
	"net"
	"net/netip"

	"baton/loop/poll"
)

// A call is a Connect or a Lookup in flight: a goroutine with a context. Calls are rare
// compared with reads and writes, so each call may allocate.
//
// The operation belongs to the goroutine until post. That may take a while after a Cancel,
// because package net can only be asked to return early.
type call struct {
	poller *Poller
	ctx    context.Context
	cancel context.CancelFunc
}

// owner, stop and release implement runner. A call serves one operation, so release has nothing
// to do.
func (c *call) owner() *Poller { return c.poller }
func (c *call) stop()          { c.cancel() }
func (c *call) release()       {}

// startCall starts a Connect or a Lookup. A Lookup of an IP address needs no goroutine. The
// number of calls is not limited: resolvers limit themselves, and a dial costs little more than
// its socket.
//
// If a cancelled call fails, its error is poll.ErrCanceled, whatever package net returns. If it
// succeeds, its result counts.
func (p *Poller) startCall(op *poll.Op) bool {
	do := p.connect
	if op.Kind == poll.Lookup {
		if addr, err := netip.ParseAddr(op.Host); err == nil {
			op.Addrs, op.Err = lookupAddr(op, addr.Unmap())
			return true
		}
		do = p.lookup
	} else {
		op.Handle = nil
	}
	c := &call{poller: p}
	c.ctx, c.cancel = context.WithCancel(p.ctx)
	op.Private.Any = c
	p.calls.Go(func() {
		defer c.cancel()
		if op.Err = do(c.ctx, op); op.Err != nil && c.ctx.Err() != nil {
			op.Err = poll.ErrCanceled
		}
		p.post(op)
	})
	return false
}

// connect dials. The goroutine of a call runs it. If the dial succeeds in spite of a Cancel,
// the handle is reported and not lost. Addresses are numeric or paths, so package net uses no
// resolver and tries only one address. Package net sets TCP_NODELAY, as package poll requires.
// Multipath TCP is off, because the other pollers use plain TCP.
func (p *Poller) connect(ctx context.Context, op *poll.Op) error {
	choices := op.Choices()
	dialer := net.Dialer{KeepAlive: -1, KeepAliveConfig: choices.KeepAlive, Control: choices.Control} // -1: no probes, unless KeepAliveConfig enables them
	dialer.SetMultipathTCP(false)
	switch to := op.Addr.(type) {
	case *net.TCPAddr:
		var from netip.AddrPort
		if local, ok := choices.Local.(*net.TCPAddr); ok && local != nil {
			from = unmap(local)
		}
		stream, err := dialer.DialTCP(ctx, "tcp", from, unmap(to))
		if err != nil {
			return unwrap(err)
		}
		op.Handle = newConn(p, stream)
	case *net.UnixAddr:
		from, _ := choices.Local.(*net.UnixAddr)
		stream, err := dialer.DialUnix(ctx, "unix", from, to)
		if err != nil {
			return unwrap(err)
		}
		op.Handle = newConn(p, stream)
	default:
		return unsupportedAddr(op.Addr)
	}
	return nil
}

// unmap converts an IPv4-mapped IPv6 address to an IPv4 address; otherwise package net would
// open an IPv6 socket. If addr has no IP, neither does the result, and package net dials
// 127.0.0.1.
func unmap(addr *net.TCPAddr) netip.AddrPort {
	at := addr.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// lookup calls the resolver. The goroutine of a call runs it. The order of the addresses is
// that of the resolver.
func (p *Poller) lookup(ctx context.Context, op *poll.Op) error {
	addrs, err := p.resolver.LookupNetIP(ctx, op.Network, op.Host)
	if err != nil {
		return lookupError(op.Host, err)
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap() // some resolvers return IPv4-mapped IPv6 addresses
	}
	op.Addrs = addrs
	return nil
}

// lookupAddr answers a Lookup of an IP address. If the address is of the wrong family, the host
// does not exist, as with the other pollers.
func lookupAddr(op *poll.Op, addr netip.Addr) ([]netip.Addr, error) {
	switch {
	case op.Network == "ip", op.Network == "ip4" && addr.Is4(), op.Network == "ip6" && addr.Is6():
		return []netip.Addr{addr}, nil
	}
	return nil, &net.DNSError{Err: "the address is not of network " + op.Network, Name: op.Host, IsNotFound: true}
}
