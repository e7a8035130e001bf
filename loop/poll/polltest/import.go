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

// importCases are about sockets that were opened elsewhere, and about descriptors. Both
// are interfaces that a poller and its handles may have, and not capabilities.
var importCases = []testCase{
	{
		name:        "import",
		explanation: "A poller that imports makes a handle of a duplicate of a socket, which works when its first owner has closed it, and refuses a socket of another sort. So a program can serve what systemd or a library has opened.",
		lacks:       poll.Virtual,
		run: func(r *rig) {
			importer, ok := r.poller.(poll.Importer)
			if !ok || runtime.GOOS == "windows" { // where package net has no files of sockets
				return
			}
			f := r.theirs()
			for _, kind := range []poll.Kind{poll.Read, poll.Receive, poll.Write} {
				if h, err := importer.Import(f, kind, poll.SocketOptions{}); !errors.Is(err, syscall.EINVAL) || h != nil {
					r.t.Errorf("Import of a listener as one to %v: handle %v, error %v, want EINVAL", kind, h, err)
				}
			}
			l, err := importer.Import(f, poll.Accept, poll.SocketOptions{})
			r.ok("Import", err)
			r.ok("Close of the file", f.Close())
			client, server := r.connect(l)
			r.say(client, "hello")
			r.hear(server, "hello")

			f = r.theirs()
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
		explanation: "A socket can be imported again after Close, while its first owner keeps it: a program may stop serving and start again.",
		lacks:       poll.Virtual,
		run: func(r *rig) {
			importer, ok := r.poller.(poll.Importer)
			if !ok || runtime.GOOS == "windows" {
				return
			}
			f := r.theirs()
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
		explanation: "A UDP socket of package net or of systemd may be one for both families. Then a datagram of IPv4 comes from and to an address of IPv4, and can be sent back as it is.",
		needs:       poll.Datagrams,
		lacks:       poll.Virtual,
		run:         bothFamilies,
	},
	{
		name:        "handle/control",
		explanation: "A handle with a descriptor shows it until Close, and never after that: the number may be another file's then.",
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

	client, to := r.packets(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addrPort(server).Port())
	for i := range 2 { // one that names its address, and one that leaves it to the system
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
			r.t.Errorf("the answer is from %v, want %v", p.Addr, to)
		}
	}
}

// theirs is a listener of package net as a file.
func (r *rig) theirs() *os.File {
	r.t.Helper()
	ln, err := net.ListenTCP("tcp", loopback())
	r.ok("net.Listen", err)
	f, err := ln.File()
	r.ok("File", err)
	r.ok("Close", ln.Close())
	return f
}
