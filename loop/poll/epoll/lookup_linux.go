// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"baton/loop/poll"
)

// lookups are the Lookups of a poller. The resolver blocks its caller, so each Lookup has a
// goroutine.
type lookups struct {
	resolver *net.Resolver
	ctx      context.Context    // parent of the lookups' contexts
	stop     context.CancelFunc // ends ctx
	running  sync.WaitGroup     // the goroutines of the lookups

	// pending is the number of lookups that collect has not yet seen. It belongs to the loop.
	// If it is 0, a Wait does not take the lock.
	pending int

	mu       sync.Mutex
	answered []*lookup // the goroutines append here, in order of completion
}

// A lookup is one Lookup in flight. Its goroutine does not use the operation, so a cancelled
// operation can be reported before the resolver returns.
type lookup struct {
	poller *Poller
	op     *poll.Op           // nil after a cancel; belongs to the loop
	cancel context.CancelFunc // cancels the context of the resolver

	addrs []netip.Addr // addrs and err belong to the goroutine until
	err   error        // it has appended the lookup to answered
}

// open initializes l. A nil resolver means net.DefaultResolver.
func (l *lookups) open(resolver *net.Resolver) {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	l.resolver = resolver
	l.ctx, l.stop = context.WithCancel(context.Background())
}

// close cancels all lookups and waits for their goroutines. Go's own resolver returns at once.
// A call of the C library's resolver continues on a thread of the runtime; no goroutine of this
// package waits for it.
func (l *lookups) close() {
	l.stop()
	l.running.Wait()
}

// lookup starts a Lookup. It answers at once if the host is an IP address, as most configured
// services have. The number of lookups is limited only by the resolver.
//
// Errors are *net.DNSError. Errors about wrong arguments are reported at once.
func (p *Poller) lookup(op *poll.Op) bool {
	if p.closed {
		return fail(op, net.ErrClosed)
	}
	switch op.Network {
	case "ip", "ip4", "ip6":
	default:
		return fail(op, lookupError(op.Host, net.UnknownNetworkError(op.Network)))
	}
	if addr, err := netip.ParseAddr(op.Host); err == nil {
		addr = addr.Unmap()
		if op.Network == "ip4" && !addr.Is4() || op.Network == "ip6" && !addr.Is6() {
			return fail(op, &net.DNSError{Err: "the address is not of network " + op.Network, Name: op.Host, IsNotFound: true})
		}
		op.Addrs = []netip.Addr{addr}
		return true
	}
	l := &lookup{poller: p, op: op}
	ctx, cancel := context.WithCancel(p.lookups.ctx)
	l.cancel = cancel
	op.Private.Any = l
	p.lookups.pending++
	network, host := op.Network, op.Host // the caller may reuse op before the answer
	p.lookups.running.Go(func() { l.resolve(ctx, network, host) })
	return false
}

// resolve runs on its own goroutine. It writes addrs and err before it takes the lock, and the
// loop reads them after it has held the lock. The answer of a cancelled lookup wakes the loop
// too, once, and collect drops it.
func (l *lookup) resolve(ctx context.Context, network, host string) {
	defer l.cancel()
	p := l.poller
	l.addrs, l.err = p.lookups.resolver.LookupNetIP(ctx, network, host)
	for i, addr := range l.addrs {
		l.addrs[i] = addr.Unmap() // some resolvers return IPv4-mapped IPv6 addresses
	}
	if l.err != nil {
		l.err = lookupError(host, l.err)
	}
	p.lookups.mu.Lock()
	p.lookups.answered = append(p.lookups.answered, l)
	p.lookups.mu.Unlock()
	p.Wake()
}

// lookupError returns err as a *net.DNSError, as poll.Lookup promises. errors.Is still finds
// the cause.
func lookupError(host string, err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	return &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: host}
}

// abandon cancels the lookup; collect will drop its answer. The goroutine ends when the
// resolver returns.
func (l *lookup) abandon() {
	l.op = nil
	l.cancel()
}

// collect completes the operations of completed lookups, in order of completion, and drops those
// that were cancelled. It is called after the state has become running (see Poller.Wait), so a
// later answer ends the next Wait.
func (l *lookups) collect(p *Poller) {
	if l.pending == 0 {
		return
	}
	l.mu.Lock()
	answered := l.answered
	l.answered = nil
	l.mu.Unlock()
	l.pending -= len(answered)
	for _, answer := range answered {
		if op := answer.op; op != nil {
			op.Addrs, op.Err = answer.addrs, answer.err
			p.finish(op)
		}
	}
}
