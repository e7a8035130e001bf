// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"baton/loop/poll"
)

// lookupCases are about names. They ask for what every machine knows without a
// network, and for a name that none may know (RFC 6761); so what they see
// depends on the resolver as little as can be.
var lookupCases = []testCase{
	{
		name:        "lookup/localhost",
		explanation: "localhost is this machine, in every network that was asked for.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			op := r.must(lookup("ip", "localhost"))
			if len(op.Addrs) == 0 {
				r.t.Error("no address and no error")
			}
			for _, addr := range op.Addrs {
				if !addr.IsLoopback() {
					r.t.Errorf("localhost is %v", addr)
				}
			}
			op = r.must(lookup("ip4", "localhost"))
			if !slices.Contains(op.Addrs, netip.AddrFrom4([4]byte{127, 0, 0, 1})) {
				r.t.Errorf("localhost in ip4 is %v", op.Addrs)
			}
		},
	},
	// Some resolvers bring IPv4 addresses in IPv6's form, which is another
	// value.
	{
		name:        "lookup/numbers",
		explanation: "An address needs no resolver, and stays what it is.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			for _, c := range []struct{ network, host string }{
				{"ip", "192.0.2.1"}, {"ip4", "192.0.2.1"}, {"ip", "2001:db8::1"}, {"ip6", "2001:db8::1"},
			} {
				op := r.must(lookup(c.network, c.host))
				if want := netip.MustParseAddr(c.host); !slices.Equal(op.Addrs, []netip.Addr{want}) {
					r.t.Errorf("%s in %s is %v", c.host, c.network, op.Addrs)
				}
			}
		},
	},
	{
		name:        "lookup/errors",
		explanation: "A name that is not there is a *net.DNSError, and so is everything else that can go wrong with one.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			for _, c := range []struct{ network, host string }{
				{"ip", "unknown.invalid"}, {"ip4", "2001:db8::1"}, {"ip6", "192.0.2.1"}, {"ip", ""}, {"carrier pigeon", "localhost"},
			} {
				op := lookup(c.network, c.host)
				op.Addrs = []netip.Addr{netip.IPv6Loopback()} // of an earlier life
				r.do(op)
				if _, ok := errors.AsType[*net.DNSError](op.Err); !ok || op.Addrs != nil {
					r.t.Errorf("%q in %q: %v with error %v, want a *net.DNSError", c.host, c.network, op.Addrs, op.Err)
				}
			}
		},
	},
	{
		name:        "lookup/cancel",
		explanation: "A Lookup can be cancelled, is reported once, and its answer bothers nobody later.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			// The answer may be faster. A later Lookup finds the table of
			// questions in order either way.
			for range 20 {
				op := lookup("ip", "unknown.invalid")
				if !r.submit(op) {
					r.poller.Cancel(op)
				}
				r.finish(op)
				if _, ok := errors.AsType[*net.DNSError](op.Err); !ok && !errors.Is(op.Err, poll.ErrCanceled) {
					r.t.Errorf("error %v, want ErrCanceled or a *net.DNSError", op.Err)
				}
				r.must(lookup("ip", "localhost"))
			}
		},
	},
	// With a limit on questions in flight the last of them would wait for the
	// first; with none, the answers come in any order.
	{
		name:        "lookup/many",
		explanation: "Look-ups do not wait for each other.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			ops := make([]*poll.Op, 50)
			for i := range ops {
				ops[i] = lookup("ip", "localhost")
				r.submit(ops[i])
			}
			r.finish(ops...)
			for _, op := range ops {
				r.ok("lookup", op.Err)
			}
		},
	},
}
