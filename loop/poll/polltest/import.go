// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"baton/loop/poll"
)

// importCases are about sockets that were opened elsewhere, and about descriptors. Importer and
// Controller are interfaces that a poller or a handle may implement, and not capabilities.
var importCases = []testCase{
	{
		name:        "import",
		explanation: "Import makes a handle for a duplicate of a socket, which works after the original is closed. It refuses a socket of another type. So a program can serve a socket that systemd or a library has opened.",
		lacks:       poll.Virtual,
		run: func(r *rig) {
			importer, ok := r.poller.(poll.Importer)
			if !ok || runtime.GOOS == "windows" { // package net has no files of sockets there
				return
			}
			f := r.foreignListener()
			for _, kind := range []poll.Kind{poll.Read, poll.Receive, poll.Write} {
				if h, err := importer.Import(f, kind, poll.SocketOptions{}); !errors.Is(err, syscall.EINVAL) || h != nil {
					r.t.Errorf("Import of a listener with kind %v: handle %v, error %v, want EINVAL", kind, h, err)
				}
			}
			l, err := importer.Import(f, poll.Accept, poll.SocketOptions{})
			r.ok("Import", err)
			r.ok("Close of the file", f.Close())
			client, server := r.connect(l)
			r.say(client, "hello")
			r.hear(server, "hello")

			f = r.foreignListener()
			defer f.Close()
			other := r.second()
			r.ok("Close of a poller", other.Close())
			if _, err := other.(poll.Importer).Import(f, poll.Accept, poll.SocketOptions{}); !errors.Is(err, net.ErrClosed) {
				r.t.Errorf("Import into a closed poller: %v, want net.ErrClosed", err)
			}
		},
	},
	{
		name:        "import/again",
		explanation: "A socket can be imported again after Close while its first owner keeps it. A program may stop serving and start again.",
		lacks:       poll.Virtual,
		run: func(r *rig) {
			importer, ok := r.poller.(poll.Importer)
			if !ok || runtime.GOOS == "windows" {
				return
			}
			f := r.foreignListener()
			defer f.Close()
			for range 3 {
				l, err := importer.Import(f, poll.Accept, poll.SocketOptions{})
				r.ok("Import", err)
				client, server := r.connect(l)
				r.ok("Close", errors.Join(client.Close(), server.Close(), l.Close()))
			}
		},
	},
	{
		name:        "import/both families",
		explanation: "A UDP socket of package net or of systemd may use both families. Then an IPv4 datagram has IPv4 addresses, and can be sent back unchanged.",
		needs:       poll.Datagrams,
		lacks:       poll.Virtual,
		run:         bothFamilies,
	},
	{
		name:        "handle/control",
		explanation: "Control passes the descriptor of a handle until Close, and never after that, because the number may belong to another file.",
		run: func(r *rig) {
			client, server := r.pair()
			for _, h := range []poll.Handle{r.listen(), client, server} {
				c, ok := h.(poll.Controller)
				if !ok {
					continue
				}
				calls := 0
				r.ok("Control", c.Control(func(uintptr) { calls++ }))
				r.ok("Close", h.Close())
				if err := c.Control(func(uintptr) { calls++ }); !errors.Is(err, net.ErrClosed) || calls != 1 {
					r.t.Errorf("Control after Close: %v, and %d calls, want net.ErrClosed and 1", err, calls)
				}
			}
		},
	},
}

func bothFamilies(r *rig) {
	importer, ok := r.poller.(poll.Importer)
	if !ok || runtime.GOOS == "windows" {
		return
	}
	theirs, err := net.ListenUDP("udp", nil)
	r.ok("ListenUDP", err)
	f, err := theirs.File()
	r.ok("File", err)
	r.ok("Close", theirs.Close())
	server, err := importer.Import(f, poll.Receive, poll.SocketOptions{})
	r.ok("Import", err)
	r.ok("Close of the file", f.Close())

	client, to := r.udp(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addrPort(server).Port())
	for i := range 2 { // with a local address, and without one
		r.must(&poll.Op{Kind: poll.Send, Handle: client, Packets: &[]poll.Packet{{Data: []byte("x"), Addr: to}}})
		in := r.must(receive(server, 8))
		got := &(*in.Packets)[0]
		if got.Addr != addrPort(client) || r.poller.Caps().Has(poll.Ancillary) && got.Local != to.Addr() {
			r.t.Errorf("received from %v at %v, want %v at %v", got.Addr, got.Local, addrPort(client), to.Addr())
		}
		if i == 1 {
			got.Local = netip.Addr{}
		}
		r.must(&poll.Op{Kind: poll.Send, Handle: server, Packets: in.Packets})
		back := r.must(receive(client, 8))
		if p := (*back.Packets)[0]; p.Addr != to {
			r.t.Errorf("the response came from %v, want %v", p.Addr, to)
		}
	}
}

// foreignListener returns a listener of package net as a file.
func (r *rig) foreignListener() *os.File {
	r.t.Helper()
	ln, err := net.ListenTCP("tcp", loopback())
	r.ok("net.Listen", err)
	f, err := ln.File()
	r.ok("File", err)
	r.ok("Close", ln.Close())
	return f
}
