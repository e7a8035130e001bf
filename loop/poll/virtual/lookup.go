// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"net"
	"net/netip"
	"strings"

	"baton/loop/poll"
)

// hostTable returns the names that Lookup knows. The two addresses of
// localhost stand in the order in which most machines have them. The table is a
// copy: a test may go on changing its own map.
func hostTable(hosts map[string][]netip.Addr) map[string][]netip.Addr {
	table := map[string][]netip.Addr{
		"localhost": {netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()},
	}
	for name, addrs := range hosts {
		table[canonical(name)] = addrs
	}
	return table
}

// canonical is the one spelling of a name: DNS knows no case (RFC 4343), and a
// final dot only says that nothing is to be added.
func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// startLookup answers op, or has it wait for as long as the resolver of this
// world takes. The answer is looked up when it is due. A number is not asked
// about, for no resolver is: so a program that is given addresses works in a
// world without one.
func (p *Poller) startLookup(op *poll.Op) {
	if _, err := netip.ParseAddr(op.Host); err != nil && p.config.LookupDelay != nil {
		if delay := p.config.LookupDelay(op.Host); delay != 0 {
			p.later.after(delay, op)
			return
		}
	}
	p.resolve(op)
}

// resolve answers op. A name without an address of the wanted family does not
// exist, as with the resolvers of the system; nor does an empty name, or one in
// a network of another name. The slice is the operation's own, whatever the
// caller does with it.
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
