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

// A target is an address as somebody wrote it down: of a TCP host, perhaps by
// name, or of a UNIX socket.
type target struct {
	network string // "tcp", "tcp4", "tcp6" or "unix"
	text    string // as it was written
	host    string
	port    int
}

// parse reads an address without asking anybody: what is wrong with it is told at
// once, before a name is looked up. IPv6 addresses stand in brackets, and may have
// a zone (RFC 3986, section 3.2.2; RFC 4007, section 11). An empty host is legal.
// Errors are those of package net, bare.
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
	return written(t)
}

// written is a target as a net.Addr that has not been resolved.
type written target

// Network and String make it a net.Addr.
func (w written) Network() string { return w.network }
func (w written) String() string  { return w.text }

// resolve returns all addresses of the target, each once, in the order of the
// resolver, which has sorted them by how well they can be reached from here (RFC
// 6724). A TCP target without a host is this machine, which a nil IP means to
// connect. It may switch, and never blocks the loop: who asks the name server is
// the poller's business. What the poller knows without asking, a literal address
// among it, costs no wait.
//
// A timeout of zero is the default, a negative one is none; the loop's clock counts
// it. Errors are bare: *net.DNSError, also for a look-up that took too long, or the
// *task.Canceled of a cancel of ctx.
func (t target) resolve(ctx context.Context, l *loop.Loop, timeout time.Duration) ([]net.Addr, error) {
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
	if timeout == 0 {
		timeout = defaultResolveTimeout
	}
	bounded, own, release := limited(ctx, timeout)
	defer release()
	q := newQuery(l, "the addresses of "+t.host)
	q.op.Kind, q.op.Host, q.op.Network = poll.Lookup, t.host, "ip"+t.network[len("tcp"):]
	err := q.run(bounded)
	if own && timedOut(ctx, err) {
		return nil, &net.DNSError{Err: "i/o timeout", Name: t.host, IsTimeout: true, IsTemporary: true}
	}
	if err != nil {
		return nil, err
	}
	ips := distinct(q.op.Addrs)
	addrs := make([]net.Addr, len(ips))
	for i, ip := range ips {
		addrs[i] = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(t.port)))
	}
	return addrs, nil
}

// distinct returns the addresses without those that came before. A hosts file may
// well say one twice: it would be listened on beside itself, and dialed again after
// it has failed. One that is mapped into IPv6 is the same as the IPv4 one. They are
// few, so no table is kept; ips stays as it is.
func distinct(ips []netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, ip := range ips {
		same := func(other netip.Addr) bool { return other.Unmap() == ip.Unmap() }
		if !slices.ContainsFunc(all, same) {
			all = append(all, ip)
		}
	}
	return all
}

// A query is one operation that a task waits for, and that no stream owns: a
// look-up, or a connect that is only a question. It is used once.
type query struct {
	loop   *loop.Loop
	op     poll.Op
	task   *task.Ref // who waits, while op is in flight
	reason string    // what for, in words
}

// newQuery makes a query; the caller fills in the operation's kind and operands.
func newQuery(l *loop.Loop, reason string) *query {
	q := &query{loop: l, reason: reason}
	q.op.Owner = q
	return q
}

// run performs the operation, and may switch. A cancel is passed on to it; a result
// that came first counts, so whatever run returns, what the operation has made is
// the caller's to close if there is no error, and nobody's otherwise.
func (q *query) run(ctx context.Context) error {
	if q.loop.Driver().Submit(&q.op) {
		return q.op.Err
	}
	q.task = task.Self(ctx)
	park(ctx, q)
	if q.op.Err == poll.ErrCanceled {
		return canceled(ctx)
	}
	return q.op.Err
}

func (q *query) Complete(*poll.Op)   { q.task.Wake() }
func (q *query) Reason() string      { return q.reason }
func (q *query) Owners() []*task.Ref { return nil }
func (q *query) Cancel(*task.Ref) bool {
	q.loop.Poller().Cancel(&q.op)
	return false
}
