// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"baton/loop/poll"
)

// lookupCases are about names. They use names that every machine knows without a network, and a
// name that does not exist (RFC 6761). So the results hardly depend on the resolver.
var lookupCases = []testCase{
	{
		name:        "lookup/localhost",
		explanation: "localhost is this machine in every network.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			op := r.must(lookup("ip", "localhost"))
			if len(op.Addrs) == 0 {
				r.t.Error("Lookup returned no address and no error")
			}
			for _, addr := range op.Addrs {
				if !addr.IsLoopback() {
					r.t.Errorf("localhost is %v, want a loopback address", addr)
				}
			}
			op = r.must(lookup("ip4", "localhost"))
			if !slices.Contains(op.Addrs, netip.AddrFrom4([4]byte{127, 0, 0, 1})) {
				r.t.Errorf("localhost in ip4 is %v", op.Addrs)
			}
		},
	},
	// Some resolvers return IPv4-mapped IPv6 addresses, which are not equal to IPv4 addresses.
	{
		name:        "lookup/numbers",
		explanation: "A Lookup of an IP address needs no resolver and returns the address.",
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
		explanation: "All errors of a Lookup are *net.DNSError, such as that of an unknown name.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			for _, c := range []struct{ network, host string }{
				{"ip", "unknown.invalid"}, {"ip4", "2001:db8::1"}, {"ip6", "192.0.2.1"}, {"ip", ""}, {"carrier pigeon", "localhost"},
			} {
				op := lookup(c.network, c.host)
				op.Addrs = []netip.Addr{netip.IPv6Loopback()} // an old result
				r.do(op)
				if _, ok := errors.AsType[*net.DNSError](op.Err); !ok || op.Addrs != nil {
					r.t.Errorf("%q in %q: %v with error %v, want a *net.DNSError", c.host, c.network, op.Addrs, op.Err)
				}
			}
		},
	},
	{
		name:        "lookup/cancel",
		explanation: "A cancelled Lookup is reported once, and its answer has no effect later.",
		needs:       poll.Lookups,
		run: func(r *rig) {
			// The answer may come before the Cancel. A later Lookup works in both cases.
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
	// A poller that limits Lookups in flight would make the last ones wait for the first ones.
	{
		name:        "lookup/many",
		explanation: "Lookups do not wait for each other.",
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
