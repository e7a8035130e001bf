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

// A Resolver looks up names and what DNS knows about them. The zero value is ready to
// use. The methods are those of a [*net.Resolver], and park the task instead of blocking.
//
// Errors are [*net.DNSError]; IsTimeout is set if the Timeout has passed. If ctx is
// cancelled before there is an answer, the error is the [*task.Canceled], bare.
type Resolver struct {
	// Net looks up. It runs in the executor of the loop, like a function of
	// [await.Abandon]: the call returns at once after a cancel or timeout, and Net
	// occupies its place in the executor until it returns, too, usually within 5 s.
	//
	// If Net is nil, the poller looks up addresses, and net.DefaultResolver looks up
	// everything else. A simulated world knows only addresses: the other look-ups fail
	// there with errors.ErrUnsupported. A Net with PreferGo works there if its Dial
	// calls a function of [Dialer.DialFunc], for the network "tcp".
	Net *net.Resolver

	// Timeout bounds a look-up, on the loop's clock. Default 30 s; negative is none.
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
		addrs[i] = addr.Unmap() // package net may give IPv4 in the form of IPv6
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

// LookupAddr looks up the names of an address (PTR): the reverse of LookupHost.
func (r Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return ask(ctx, r, addr, func(ctx context.Context, from *net.Resolver) ([]string, error) {
		return from.LookupAddr(ctx, addr)
	})
}

// LookupCNAME looks up the canonical name of host: the last one in its chain of aliases.
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

// LookupSRV looks up the servers of _service._proto.name, or of name if service and
// proto are empty, sorted by priority and drawn by weight. Like LookupMX and LookupNS it
// leaves out records with malformed names, and returns the others beside the error.
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

// ask calls question in the executor, with the resolver that is to answer it. There may
// be a part of an answer beside an error.
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

// within calls look under a timeout, of which zero is the default and a negative one is
// none. Errors are *net.DNSError, also if the time is over, or the *task.Canceled of ctx.
func within[T any](ctx context.Context, timeout time.Duration, name string, look func(ctx context.Context) (T, error)) (T, error) {
	if timeout == 0 {
		timeout = defaultResolveTimeout
	}
	timed, release := limited(ctx, timeout)
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
	if _, foreign := err.(*task.Canceled); foreign || !dns { // callers take a bare one for that of ctx
		other, ok := errors.AsType[net.Error](err)
		err = &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: name, IsTimeout: ok && other.Timeout()}
	}
	return answer, err
}
