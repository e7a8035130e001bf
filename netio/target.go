// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// A target is an address as the user has written it: of a TCP host, perhaps by
// name, or of a UNIX socket.
type target struct {
	network string // "tcp", "tcp4", "tcp6" or "unix"
	text    string // as it was written
	host    string
	port    int
}

// parse reads an address, and returns an error before a name is looked up. IPv6
// addresses stand in brackets, and may have a zone (RFC 3986, section 3.2.2; RFC
// 4007, section 11). An empty host is legal. Errors are those of package net, bare.
func parse(network, address string) (target, error) {
	t := target{network: network, text: address}
	switch network {
	case "unix":
		if address == "" {
			return t, &net.AddrError{Err: "missing address"}
		}
		return t, nil
	case "tcp", "tcp4", "tcp6":
	default:
		return t, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return t, err
	}
	t.host = host
	if t.port, err = port(network, service); err != nil {
		return t, err
	}
	if ip, err := netip.ParseAddr(host); err == nil && !t.suits(ip) {
		return t, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return t, nil
}

// services is a resolver that finds well-known services in a table and a file.
// The default one may ask the C library, on a thread and for as long as it likes.
var services = net.Resolver{PreferGo: true}

// port is the number of a port, which may be written as that of a service. The
// context is never waited under: the look-up reads a file at most.
func port(network, service string) (int, error) {
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return int(n), nil
	}
	return services.LookupPort(context.Background(), network, service)
}

// suits reports whether ip is of the family that the network asks for. An IPv4
// address that is mapped into IPv6 (RFC 4291, section 2.5.5.2) is an IPv4 one, as
// it is for the kernel.
func (t target) suits(ip netip.Addr) bool {
	switch v4 := ip.Unmap().Is4(); t.network {
	case "tcp4":
		return v4
	case "tcp6":
		return !v4
	}
	return true
}

// addr is the target for messages: what was written.
func (t target) addr() net.Addr {
	if t.network == "unix" {
		return &net.UnixAddr{Name: t.text, Net: "unix"}
	}
	return unresolvedAddr(t)
}

// written is a target as a net.Addr that has not been resolved.
type unresolvedAddr target

// Network and String make it a net.Addr.
func (w unresolvedAddr) Network() string { return w.network }
func (w unresolvedAddr) String() string  { return w.text }

// resolve returns all addresses of the target, at least one, each once, in the
// order of the resolver, which has sorted them by how well they can be reached from
// here (RFC 6724). A TCP target without a host is this machine, which a nil IP means
// to connect. resolve may switch, and never blocks the loop.
//
// A timeout of zero is the default, a negative one is none. Errors are bare:
// *net.DNSError, also if the look-up took too long, or the *task.Canceled of ctx.
func (t target) resolve(ctx context.Context, from HostResolver, timeout time.Duration) ([]net.Addr, error) {
	if t.network == "unix" {
		return []net.Addr{&net.UnixAddr{Name: t.text, Net: "unix"}}, nil
	}
	if t.host == "" {
		addr := &net.TCPAddr{Port: t.port}
		if t.network == "tcp6" {
			addr.IP = net.IPv6unspecified
		}
		return []net.Addr{addr}, nil
	}
	ips, err := t.lookup(ctx, from, timeout)
	if err != nil {
		return nil, err
	}
	addrs := make([]net.Addr, len(ips))
	for i, ip := range ips {
		addrs[i] = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(t.port)))
	}
	return addrs, nil
}

// lookup returns the addresses of the host: itself, or what the resolver says. If there
// is none, it asks the poller.
func (t target) lookup(ctx context.Context, from HostResolver, timeout time.Duration) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(t.host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	if blocking, ok := from.(*net.Resolver); ok {
		from = Resolver{Net: blocking, Timeout: -1}
	}
	if from == nil {
		from = Resolver{Timeout: -1}
	}
	ips, err := within(ctx, timeout, t.host, func(ctx context.Context) ([]netip.Addr, error) {
		return from.LookupNetIP(ctx, "ip"+t.network[len("tcp"):], t.host)
	})
	if err != nil {
		return nil, err
	}
	if ips = t.usable(ips); len(ips) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: t.host, IsNotFound: true}
	}
	return ips, nil
}

// usable returns the ips of the target's family without repetitions, which a hosts file
// may have: an address must not be listened on beside itself, nor dialed again after it
// has failed. An address that is mapped into IPv6 is the same as the IPv4 one.
func (t target) usable(ips []netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		if ip.IsValid() && t.suits(ip) && !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	return all
}

// A lookup is the question for the addresses of a host. It is used once.
type lookup struct {
	loop *loop.Loop
	op   poll.Op
	task *task.Ref // the one that waits, while op is in flight
}

func newLookup(l *loop.Loop, network, host string) *lookup {
	q := &lookup{loop: l}
	q.op = poll.Op{Kind: poll.Lookup, Network: network, Host: host, Owner: q}
	return q
}

// run asks, and may switch. It passes a cancel on to the operation; an answer that
// came first counts.
func (q *lookup) run(ctx context.Context) error {
	if !q.loop.Driver().Submit(&q.op) {
		q.task = task.Self(ctx)
		park(ctx, q)
	}
	if q.op.Err == poll.ErrCanceled {
		return canceled(ctx)
	}
	return q.op.Err
}

func (q *lookup) Complete(*poll.Op)   { q.task.Wake() }
func (q *lookup) Reason() string      { return "the addresses of " + q.op.Host }
func (q *lookup) Owners() []*task.Ref { return nil }
func (q *lookup) Cancel(*task.Ref) bool {
	q.loop.Poller().Cancel(&q.op)
	return false
}
