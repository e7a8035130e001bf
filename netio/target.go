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

// A target is an address as the user has written it: of a TCP host, which may be a name, or
// of a UNIX socket.
type target struct {
	network string // "tcp", "tcp4", "tcp6" or "unix"
	text    string // as it was written
	host    string
	port    int
}

// parse parses an address. It returns syntax errors before a name is looked up. IPv6
// addresses stand in brackets, and may have a zone (RFC 3986, section 3.2.2; RFC 4007,
// section 11). An empty host is legal. Errors are those of package net, not wrapped.
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

// services is a resolver that finds well-known services in a table and a file. The default
// resolver may call the C library, on a thread and for an unlimited time.
var services = net.Resolver{PreferGo: true}

// port returns the number of a port, which may be written as the name of a service. The
// look-up reads a file at most, so it never waits under its context.
func port(network, service string) (int, error) {
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return int(n), nil
	}
	return services.LookupPort(context.Background(), network, service)
}

// suits reports whether ip is of the network's family. An IPv4 address that is mapped into
// IPv6 (RFC 4291, section 2.5.5.2) counts as an IPv4 one, as for the kernel.
func (t target) suits(ip netip.Addr) bool {
	switch v4 := ip.Unmap().Is4(); t.network {
	case "tcp4":
		return v4
	case "tcp6":
		return !v4
	}
	return true
}

// addr returns the target as it was written, for messages.
func (t target) addr() net.Addr {
	if t.network == "unix" {
		return &net.UnixAddr{Name: t.text, Net: "unix"}
	}
	return unresolvedAddr(t)
}

// unresolvedAddr is a target as a net.Addr, before it is resolved.
type unresolvedAddr target

// Network and String implement net.Addr.
func (w unresolvedAddr) Network() string { return w.network }
func (w unresolvedAddr) String() string  { return w.text }

// resolve returns all addresses of the target: at least one, each once, in the order of the
// resolver, which has sorted them by how well they can be reached (RFC 6724). A TCP target
// without a host means this machine, as a nil IP does for connect. resolve may switch, and
// never blocks the loop.
//
// Zero timeout means the default, and a negative one means no limit. Errors are not
// wrapped: *net.DNSError, also after the timeout, or the *task.Canceled of ctx.
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

// lookup returns the addresses of the host: the host itself, or what the resolver returns.
// If from is nil, it asks the poller.
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

// usable returns the ips of the target's family without repetitions, which a hosts file may
// contain. Listen must not listen twice on an address, and Dial must not try an address
// again after it has failed. An IPv4 address that is mapped into IPv6 equals the IPv4
// address.
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

// A lookup looks up the addresses of a host. It is used once.
type lookup struct {
	loop *loop.Loop
	op   poll.Op
	task *task.Ref // the waiting task, while op is in flight
}

func newLookup(l *loop.Loop, network, host string) *lookup {
	q := &lookup{loop: l}
	q.op = poll.Op{Kind: poll.Lookup, Network: network, Host: host, Owner: q}
	return q
}

// run does the look-up, and may switch. A cancel cancels the operation, unless the answer
// came first.
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
