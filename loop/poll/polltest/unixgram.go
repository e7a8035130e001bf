// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"syscall"

	"baton/loop/poll"
)

func unixDatagrams(r *rig) {
	one, two := unixAddr(r), unixAddr(r)
	one.Net, two.Net = "unixgram", "unixgram"
	server, err := r.poller.Listen(one, poll.ListenOptions{})
	r.ok("Listen", err)
	named, err := r.poller.Listen(two, poll.ListenOptions{})
	r.ok("Listen", err)
	unnamed := r.udpTo(server)
	for _, c := range []struct {
		from poll.Handle
		name string
	}{{named, two.Name}, {unnamed, ""}} {
		for range 2 {
			r.must(&poll.Op{Kind: poll.Send, Handle: c.from, Packets: &[]poll.Packet{{Data: []byte("hello"), Name: one.Name}}})
			in := r.must(receive(server, 16))
			if p := (*in.Packets)[0]; string(p.Data) != "hello" || p.Name != c.name || p.Addr.IsValid() {
				r.t.Errorf("received %q from %q (%v), want %q", p.Data, p.Name, p.Addr, c.name)
			}
		}
	}
	// The connected socket sends until it has to wait. The case receives every datagram.
	const all = 1000
	out := &poll.Op{Kind: poll.Send, Handle: unnamed, Packets: &[]poll.Packet{}}
	for range all {
		*out.Packets = append(*out.Packets, poll.Packet{Data: []byte("x")})
	}
	if r.submit(out) {
		r.t.Error("a Send of 1000 datagrams to a UNIX socket completed at once")
	}
	// The queue is full, unless the Send in flight has only begun.
	op := r.do(&poll.Op{Kind: poll.Send, Handle: named, Packets: &[]poll.Packet{{Data: []byte("y"), Name: one.Name}}})
	if op.Err != nil || r.poller.Caps().Has(poll.Readiness) {
		r.want(op, syscall.EAGAIN)
	}
	for range all + op.N {
		r.must(receive(server, 16))
	}
	r.finish(out)
	if out.Err != nil || out.N != all {
		r.t.Errorf("sent %d of %d, error %v", out.N, all, out.Err)
	}
}
