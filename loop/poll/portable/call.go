// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"context"
	"net"
	"net/netip"

	"baton/loop/poll"
)

// A call is a Connect or a Lookup in flight: a goroutine with a context to
// cancel. These are rare beside reads and writes, so each may allocate.
//
// The operation belongs to the goroutine until it is posted: that may take a
// while after a Cancel, for package net is asked to give up, not forced.
type call struct {
	poller *Poller
	ctx    context.Context
	cancel context.CancelFunc
}

// owner, stop and free make a call a worker. It serves one operation, so there
// is nothing to free.
func (c *call) owner() *Poller { return c.poller }
func (c *call) stop()          { c.cancel() }
func (c *call) free()          {}

// startCall starts a Connect or a Lookup. A host that is a number needs no
// goroutine. Calls are not limited in number: a resolver limits itself, and a
// dial costs little more than its socket.
//
// An error of a call that was told to give up is the cancel's, whatever package
// net makes of it; a result is a result.
func (p *Poller) startCall(op *poll.Op) bool {
	do := p.connect
	if op.Kind == poll.Lookup {
		if addr, err := netip.ParseAddr(op.Host); err == nil {
			op.Addrs, op.Err = numeric(op, addr.Unmap())
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

// connect dials, on the goroutine of a call. A dial that succeeds in spite of a
// Cancel counts: its handle is reported, and not lost. The addresses are numbers
// or paths, so package net asks no resolver and tries only one of them. It gives
// TCP sockets no delay by itself, as the seam wants it. Multipath TCP is off:
// the other pollers have plain TCP, and this one is their reference.
func (p *Poller) connect(ctx context.Context, op *poll.Op) error {
	choices := op.Choices()
	dialer := net.Dialer{KeepAlive: -1, KeepAliveConfig: choices.KeepAlive, Control: choices.Control} // -1 is none unless that is enabled.
	dialer.SetMultipathTCP(false)
	switch to := op.Addr.(type) {
	case *net.TCPAddr:
		var from netip.AddrPort
		if local, ok := choices.Local.(*net.TCPAddr); ok && local != nil {
			from = unmap(local)
		}
		stream, err := dialer.DialTCP(ctx, "tcp", from, unmap(to))
		if err != nil {
			return cause(err)
		}
		op.Handle = newConn(p, stream)
	case *net.UnixAddr:
		from, _ := choices.Local.(*net.UnixAddr)
		stream, err := dialer.DialUnix(ctx, "unix", from, to)
		if err != nil {
			return cause(err)
		}
		op.Handle = newConn(p, stream)
	default:
		return unsupported(op.Addr)
	}
	return nil
}

// unmap returns addr with an IPv4 address in its own, short form: as IPv6 it
// would get a socket of that family. No IP at all stays none, for which package
// net dials 127.0.0.1.
func unmap(addr *net.TCPAddr) netip.AddrPort {
	at := addr.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// lookup asks the resolver, on the goroutine of a call. The order of the
// addresses is the resolver's; who dials them chooses.
func (p *Poller) lookup(ctx context.Context, op *poll.Op) error {
	addrs, err := p.resolver.LookupNetIP(ctx, op.Network, op.Host)
	if err != nil {
		return lookupError(op.Host, err)
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap() // Some resolvers give IPv4 in IPv6's form.
	}
	op.Addrs = addrs
	return nil
}

// numeric answers a Lookup of an address. One of the wrong family is a host that
// does not exist there, as for the other pollers.
func numeric(op *poll.Op, addr netip.Addr) ([]netip.Addr, error) {
	switch {
	case op.Network == "ip", op.Network == "ip4" && addr.Is4(), op.Network == "ip6" && addr.Is6():
		return []netip.Addr{addr}, nil
	}
	return nil, &net.DNSError{Err: "no address of network " + op.Network, Name: op.Host, IsNotFound: true}
}
