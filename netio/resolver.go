// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"baton/await"
	"baton/loop/poll"
	"baton/task"
)

// A Resolver looks up names and DNS records. The zero value is ready to use. The methods
// are those of a [*net.Resolver], and park the task instead of blocking.
//
// Errors are [*net.DNSError]; IsTimeout is set if Timeout has passed. If ctx is cancelled
// before there is an answer, the error is the [*task.Canceled].
type Resolver struct {
	// Net does the look-ups. It runs in the executor of the loop, like a function of
	// [await.Abandon]. After a cancel or a timeout the call returns at once; Net keeps its
	// goroutine in the executor until it returns too, usually within 5 s.
	//
	// If Net is nil, the poller looks up addresses, and net.DefaultResolver looks up
	// everything else. A simulated world knows only addresses; other look-ups fail there
	// with errors.ErrUnsupported. A Net with PreferGo works there if its Dial calls a
	// function of [Dialer.DialFunc], with the network "tcp".
	Net *net.Resolver

	// Timeout limits a look-up, on the loop's clock. The default is 30 s; negative means no
	// limit.
	Timeout time.Duration
}

// LookupNetIP looks up the addresses of a host in the network "ip", "ip4" or "ip6".
func (r Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if r.Net == nil {
		self, err := task.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		return within(ctx, r.Timeout, host, func(ctx context.Context) ([]netip.Addr, error) {
			q := newLookup(self.Loop(), network, host)
			err := q.run(ctx)
			return q.op.Addrs, err
		})
	}
	addrs, err := ask(ctx, r, host, func(ctx context.Context, from *net.Resolver) ([]netip.Addr, error) {
		return from.LookupNetIP(ctx, network, host)
	})
	for i, addr := range addrs {
		addrs[i] = addr.Unmap() // package net may return an IPv4 address as an IPv6 one
	}
	return addrs, err
}

// LookupHost looks up the addresses of a host, as text.
func (r Resolver) LookupHost(ctx context.Context, host string) ([]string, error) {
	ips, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addrs := make([]string, len(ips))
	for i, ip := range ips {
		addrs[i] = ip.String()
	}
	return addrs, nil
}

// LookupAddr looks up the names of an address (PTR). It is the reverse of LookupHost.
func (r Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return ask(ctx, r, addr, func(ctx context.Context, from *net.Resolver) ([]string, error) {
		return from.LookupAddr(ctx, addr)
	})
}

// LookupCNAME looks up the canonical name of a host: the last name in its chain of aliases.
func (r Resolver) LookupCNAME(ctx context.Context, host string) (string, error) {
	return ask(ctx, r, host, func(ctx context.Context, from *net.Resolver) (string, error) {
		return from.LookupCNAME(ctx, host)
	})
}

// LookupTXT looks up the TXT records of a name.
func (r Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return ask(ctx, r, name, func(ctx context.Context, from *net.Resolver) ([]string, error) {
		return from.LookupTXT(ctx, name)
	})
}

// LookupSRV looks up the servers of _service._proto.name, or of name if service and proto
// are empty. They are sorted by priority and randomized by weight. Like LookupMX and
// LookupNS, it leaves out records with malformed names, and returns the other records
// together with an error.
func (r Resolver) LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error) {
	type found struct {
		cname string
		addrs []*net.SRV
	}
	all, err := ask(ctx, r, name, func(ctx context.Context, from *net.Resolver) (all found, err error) {
		all.cname, all.addrs, err = from.LookupSRV(ctx, service, proto, name)
		return all, err
	})
	return all.cname, all.addrs, err
}

// LookupMX looks up the mail servers of a domain, sorted by preference.
func (r Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return ask(ctx, r, name, func(ctx context.Context, from *net.Resolver) ([]*net.MX, error) {
		return from.LookupMX(ctx, name)
	})
}

// LookupNS looks up the name servers of a domain.
func (r Resolver) LookupNS(ctx context.Context, name string) ([]*net.NS, error) {
	return ask(ctx, r, name, func(ctx context.Context, from *net.Resolver) ([]*net.NS, error) {
		return from.LookupNS(ctx, name)
	})
}

// ask calls question in the executor, with the resolver that must answer it. It may return
// a part of the answer together with an error.
func ask[T any](ctx context.Context, r Resolver, name string, question func(context.Context, *net.Resolver) (T, error)) (T, error) {
	var none T
	self, err := task.Checkpoint(ctx)
	if err != nil {
		return none, err
	}
	from := r.Net
	if from == nil {
		if self.Loop().Poller().Caps().Has(poll.Virtual) {
			return none, &net.DNSError{UnwrapErr: errors.ErrUnsupported,
				Err: "a simulated world only knows the addresses of hosts; set netio.Resolver.Net", Name: name}
		}
		from = net.DefaultResolver
	}
	return within(ctx, r.Timeout, name, func(ctx context.Context) (T, error) {
		return await.Abandon(ctx, func(ctx context.Context) (T, error) { return question(ctx, from) }, nil)
	})
}

// within calls look with a timeout. Zero means the default, and negative means no timeout.
// Errors are *net.DNSError, also after the timeout, or the *task.Canceled of ctx.
func within[T any](ctx context.Context, timeout time.Duration, name string, look func(ctx context.Context) (T, error)) (T, error) {
	if timeout == 0 {
		timeout = defaultResolveTimeout
	}
	timed, release := withTimeout(ctx, timeout)
	defer release()
	answer, err := look(timed)
	if err == nil {
		return answer, nil
	}
	var none T
	if canceled := task.Check(ctx); canceled != nil {
		return none, canceled
	}
	if task.Check(timed) != nil {
		return none, &net.DNSError{Err: "i/o timeout", Name: name, IsTimeout: true, IsTemporary: true}
	}
	_, dns := errors.AsType[*net.DNSError](err)
	// Callers take an unwrapped *task.Canceled for the cancel of ctx.
	if _, foreign := err.(*task.Canceled); foreign || !dns {
		other, ok := errors.AsType[net.Error](err)
		err = &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: name, IsTimeout: ok && other.Timeout()}
	}
	return answer, err
}
