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

// lookups are the questions to the resolver. It blocks its caller, so each has
// a goroutine.
type lookups struct {
	resolver *net.Resolver
	ctx      context.Context    // of all questions
	stop     context.CancelFunc // ends ctx
	running  sync.WaitGroup     // their goroutines

	// asked counts the questions whose answers were not collected. It belongs
	// to the loop, and spares a Wait the lock when there are none.
	asked int

	mu       sync.Mutex
	answered []*lookup // in the order of the answers; the goroutines append
}

// A lookup is one question. Its goroutine knows nothing of the operation, so a
// cancelled one can be reported before the resolver gives up.
type lookup struct {
	poller *Poller
	op     *poll.Op           // nil once cancelled; belongs to the loop
	cancel context.CancelFunc // makes the resolver give up

	addrs []netip.Addr // these two are the goroutine's until it has
	err   error        // put the lookup among the answered
}

// open makes it ready; nil is net.DefaultResolver.
func (l *lookups) open(resolver *net.Resolver) {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	l.resolver = resolver
	l.ctx, l.stop = context.WithCancel(context.Background())
}

// close makes every resolver give up and waits for the goroutines. Go's own
// resolver gives up at once; one of the C library goes on behind its back, on a
// thread of the runtime that no longer knows this package.
func (l *lookups) close() {
	l.stop()
	l.running.Wait()
}

// lookup starts a question, or answers it if the host is a number: most
// addresses of configured services are, and need no goroutine.
//
// Nothing limits the number of questions but the resolver itself.
//
// The errors are *net.DNSError, and those of the caller's making come at once.
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
			return fail(op, &net.DNSError{Err: "no address of network " + op.Network, Name: op.Host, IsNotFound: true})
		}
		op.Addrs = []netip.Addr{addr}
		return true
	}
	l := &lookup{poller: p, op: op}
	ctx, cancel := context.WithCancel(p.lookups.ctx)
	l.cancel = cancel
	op.Private.Any = l
	p.lookups.asked++
	network, host := op.Network, op.Host // op may be reported and reused before the answer
	p.lookups.running.Go(func() { l.ask(ctx, network, host) })
	return false
}

// ask runs on a goroutine of its own. It writes to l before it takes the lock,
// and the loop reads after it has had it: addrs and err need no other guard. An
// answer that nobody waits for any more wakes the loop all the same, once, and
// is dropped there.
func (l *lookup) ask(ctx context.Context, network, host string) {
	defer l.cancel()
	p := l.poller
	l.addrs, l.err = p.lookups.resolver.LookupNetIP(ctx, network, host)
	for i, addr := range l.addrs {
		l.addrs[i] = addr.Unmap() // IPv4 comes in IPv6's clothes from some resolvers
	}
	if l.err != nil {
		l.err = lookupError(host, l.err)
	}
	p.lookups.mu.Lock()
	p.lookups.answered = append(p.lookups.answered, l)
	p.lookups.mu.Unlock()
	p.Wake()
}

// lookupError makes a *net.DNSError of the resolver's other errors. The seam
// promises no other (poll.Lookup); errors.Is still finds the cause.
func lookupError(host string, err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	return &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: host}
}

// abandon lets the question go; its answer will be dropped. Its goroutine may
// go on for as long as the resolver likes.
func (l *lookup) abandon() {
	l.op = nil
	l.cancel()
}

// collect finishes the operations whose answers are there, in the order of the
// answers, and drops those that were cancelled meanwhile. It is called after
// the state is running again (Poller.Wait), so an answer that comes too late
// for it ends the next Wait.
func (l *lookups) collect(p *Poller) {
	if l.asked == 0 {
		return
	}
	l.mu.Lock()
	answered := l.answered
	l.answered = nil
	l.mu.Unlock()
	l.asked -= len(answered)
	for _, answer := range answered {
		if op := answer.op; op != nil {
			op.Addrs, op.Err = answer.addrs, answer.err
			p.finish(op)
		}
	}
}
