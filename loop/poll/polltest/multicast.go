// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"net"
	"net/netip"

	"baton/loop/poll"
)

// groups uses the loopback interface, which has number 1 on Linux. It does not test what the
// machine does not support.
func groups(r *rig) {
	group := netip.MustParseAddr("239.77.66.55")
	first, err := r.poller.Listen(&net.UDPAddr{IP: net.IPv4zero}, poll.ListenOptions{ReusePort: true})
	if errors.Is(err, errors.ErrUnsupported) {
		r.t.Log(err)
		return
	}
	r.ok("Listen", err)
	second, err := r.poller.Listen(first.LocalAddr(), poll.ListenOptions{ReusePort: true})
	r.ok("the second Listen", err)
	client := r.udp()
	all := []poll.Multicaster{first.(poll.Multicaster), second.(poll.Multicaster)}
	err = errors.Join(client.(poll.Multicaster).SetMulticastInterface(1), client.(poll.Multicaster).SetMulticastTTL(2),
		client.(poll.Multicaster).SetMulticastLoop(true))
	for _, m := range all {
		err = errors.Join(err, m.Join(group, 1))
	}
	if err != nil && !r.poller.Caps().Has(poll.Virtual) {
		r.t.Logf("multicast does not work here: %v", err)
		return
	}
	r.ok("Join", err)
	to := netip.AddrPortFrom(group, addrPort(first).Port())
	r.must(send(client, "to all", to))
	for _, m := range all {
		op := r.must(receive(m, 16))
		if p := (*op.Packets)[0]; string(p.Data) != "to all" || p.Addr != addrPort(client) || p.Local.IsValid() && p.Local != group {
			r.t.Errorf("received %q from %v at %v", p.Data, p.Addr, p.Local)
		}
	}
	r.ok("Leave", all[0].Leave(group, 1))
	if err := all[0].Leave(group, 1); err == nil {
		r.t.Error("a second Leave succeeded")
	}
	r.must(send(client, "to one", to))
	r.must(receive(all[1], 16))
	r.ok("SetMulticastLoop", client.(poll.Multicaster).SetMulticastLoop(false))
	if r.poller.Caps().Has(poll.Virtual) { // the loopback interface of Linux delivers them in any case
		r.must(send(client, "to none", to))
		in := receive(all[1], 16)
		r.submit(in)
		r.quiet()
	}
	if err := all[1].Join(netip.MustParseAddr("127.0.0.1"), 0); err == nil {
		r.t.Error("Join of an address that is no group succeeded")
	}
}
