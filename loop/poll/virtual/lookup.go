// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"net"
	"net/netip"
	"strings"

	"baton/loop/poll"
)

// hostTable returns the names that Lookup knows. The addresses of localhost have the usual
// order. The table is a copy, so the caller may change the map.
func hostTable(hosts map[string][]netip.Addr) map[string][]netip.Addr {
	table := map[string][]netip.Addr{
		"localhost": {netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()},
	}
	for name, addrs := range hosts {
		table[canonical(name)] = addrs
	}
	return table
}

// canonical returns the canonical form of a name: lower case (RFC 4343) and without a final
// dot.
func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// startLookup resolves op, now or after the delay of Config.LookupDelay. The answer is
// determined when the delay has passed. An IP address has no delay, because no resolver is
// needed.
func (p *Poller) startLookup(op *poll.Op) {
	if _, err := netip.ParseAddr(op.Host); err != nil && p.config.LookupDelay != nil {
		if delay := p.config.LookupDelay(op.Host); delay != 0 {
			p.delayed.after(delay, op)
			return
		}
	}
	p.resolve(op)
}

// resolve completes op. A name without an address of the requested family does not exist, as
// with the resolver of a system. The same holds for an empty name and for an unknown network.
// The slice belongs to the caller.
func (p *Poller) resolve(op *poll.Op) {
	all := p.names[canonical(op.Host)]
	if addr, err := netip.ParseAddr(op.Host); err == nil {
		all = []netip.Addr{addr.Unmap()}
	}
	for _, addr := range all {
		if op.Network == "ip" || op.Network == "ip4" && addr.Is4() || op.Network == "ip6" && addr.Is6() {
			op.Addrs = append(op.Addrs, addr)
		}
	}
	if len(op.Addrs) == 0 {
		p.finish(op, &net.DNSError{Err: "no such host", Name: op.Host, IsNotFound: true})
		return
	}
	p.finish(op, nil)
}
