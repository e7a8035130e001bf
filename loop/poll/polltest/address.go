// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"baton/loop/poll"
)

// addressCases are about what an address means to Listen and to Connect.
var addressCases = []testCase{
	{
		name:        "address/all of IPv4",
		explanation: "A TCP address without an IP, or with 0.0.0.0, listens on every IPv4 address; a Connect to it goes to this machine. ':7000' in a configuration must mean the same with every poller.",
		run: func(r *rig) {
			for _, ip := range []net.IP{nil, net.IPv4zero} {
				l, err := r.poller.Listen(&net.TCPAddr{IP: ip}, poll.ListenOptions{})
				r.ok("Listen", err)
				local := l.LocalAddr().(*net.TCPAddr)
				if local.IP.To4() == nil || !local.IP.IsUnspecified() {
					r.t.Errorf("IP %v listens on %v, want 0.0.0.0", ip, local)
				}
				for _, to := range []net.IP{nil, net.IPv4zero, loopback().IP} {
					_, server := r.reach(l, &net.TCPAddr{IP: to, Port: local.Port})
					// The server's side is what the kernel has made of it.
					if got := server.LocalAddr().(*net.TCPAddr).IP; !got.Equal(loopback().IP) {
						r.t.Errorf("a connection to IP %v arrived at %v", to, got)
					}
				}
			}
		},
	},
	{
		name:        "address/all of IPv6",
		explanation: "An IPv6 listener takes no IPv4 connections: both families can have one port, and whoever wants both listens twice.",
		run:         allOfIPv6,
	},
	{
		name:        "address/another family",
		explanation: "A Connect from an address of another family fails, and leaves no handle.",
		run: func(r *rig) {
			op := connect(r.listen().LocalAddr())
			op.Options = &poll.ConnectOptions{Local: &net.TCPAddr{IP: net.IPv6loopback}}
			if r.do(op); op.Err == nil || op.Handle != nil {
				r.t.Errorf("from IPv6 to IPv4: handle %v, error %v", op.Handle, op.Err)
			}
		},
	},
	{
		name:        "address/of no stream",
		explanation: "An address that is not of a stream is an error, not a crash: addresses come from configurations.",
		run: func(r *rig) {
			for _, addr := range []net.Addr{nil, &net.IPAddr{}, &net.TCPAddr{IP: net.IP{1, 2, 3}}} {
				if _, err := r.poller.Listen(addr, poll.ListenOptions{}); err == nil {
					r.t.Errorf("Listen(%v) succeeded", addr)
				}
				if op := r.do(connect(addr)); op.Err == nil || op.Handle != nil {
					r.t.Errorf("Connect to %v: handle %v, error %v", addr, op.Handle, op.Err)
				}
			}
		},
	},
	{
		name:        "address/shared",
		explanation: "With ReusePort several listeners share an address, if all of them ask for it and the system can; where it cannot, Listen says so.",
		run: func(r *rig) {
			shared := poll.ListenOptions{ReusePort: true}
			l, err := r.poller.Listen(loopback(), shared)
			if errors.Is(err, errors.ErrUnsupported) {
				return
			}
			r.ok("Listen", err)
			other, err := r.poller.Listen(l.LocalAddr(), shared)
			r.ok("the second Listen", err)
			if _, err := r.poller.Listen(l.LocalAddr(), poll.ListenOptions{}); !errors.Is(err, syscall.EADDRINUSE) {
				r.t.Errorf("a listener that does not share: %v, want EADDRINUSE", err)
			}
			// Which of them gets a connection is up to the system. When one is
			// closed the other gets all.
			r.ok("Close", other.Close())
			for range 5 {
				r.connect(l)
			}
		},
	},
	{
		name:        "address/control",
		explanation: "A Control function gets a new socket before it is bound or connected, so that callers can set options that the seam does not know. Its error is that of the call. In a virtual world there is nothing to call it with.",
		run:         controlled,
	},
	{
		name:        "unix/errors",
		explanation: "A UNIX address that nobody listens on is an error, and so is one that is taken.",
		needs:       poll.Unix,
		run: func(r *rig) {
			addr := unixAddr(r)
			if op := r.do(connect(addr)); op.Err == nil || op.Handle != nil {
				r.t.Errorf("connected to nobody: handle %v, error %v", op.Handle, op.Err)
			}
			_, err := r.poller.Listen(addr, poll.ListenOptions{})
			r.ok("Listen", err)
			if _, err := r.poller.Listen(addr, poll.ListenOptions{}); !errors.Is(err, syscall.EADDRINUSE) {
				r.t.Errorf("a second listener on one path: %v, want EADDRINUSE", err)
			}
		},
	},
	{
		name:        "unix/file",
		explanation: "The file of a UNIX listener stays when that is closed: by then it may be a successor's, so it is the caller's to remove. In a virtual world there is none.",
		needs:       poll.Unix,
		run:         unixFile,
	},
}

// controlled makes sockets of every kind with a Control function, which some pollers
// call on goroutines of their own.
func controlled(r *rig) {
	l := r.listen()
	var mu sync.Mutex
	var got string
	var refusal error
	options := poll.SocketOptions{Control: func(network, address string, c syscall.RawConn) error {
		mu.Lock()
		defer mu.Unlock()
		err := c.Control(func(uintptr) { got += network + " " + address })
		return errors.Join(err, refusal)
	}}
	targets := []net.Addr{l.LocalAddr()}
	if r.poller.Caps().Has(poll.Datagrams) {
		targets = append(targets, &net.UDPAddr{IP: loopback().IP, Port: port(l)})
	}
	if r.poller.Caps().Has(poll.Unix) {
		path, err := r.poller.Listen(unixAddr(r), poll.ListenOptions{})
		r.ok("Listen", err)
		targets = append(targets, path.LocalAddr())
	}
	check := func(what string, h poll.Handle, err error, addr net.Addr) {
		r.t.Helper()
		mu.Lock()
		defer mu.Unlock()
		network := addr.Network()
		if network != "unix" {
			network += "4"
		}
		switch {
		case r.poller.Caps().Has(poll.Virtual):
			if !errors.Is(err, errors.ErrUnsupported) || h != nil {
				r.t.Errorf("%s %v: %v, want errors.ErrUnsupported", what, addr, err)
			}
		case !errors.Is(err, refusal) || (err == nil) != (refusal == nil) || (h == nil) != (err != nil) || got != network+" "+addr.String():
			r.t.Errorf("%s %v: error %v, Control was called for %q", what, addr, err, got)
		}
		got = ""
		if h != nil {
			r.ok("Close", h.Close())
		}
	}
	for _, refusal = range []error{nil, syscall.EACCES} {
		for _, addr := range targets {
			op := connect(addr)
			op.Options = &poll.ConnectOptions{SocketOptions: options}
			r.do(op)
			check("connect", op.Handle, op.Err, addr)
			switch a := addr.(type) { // with a port that is free
			case *net.TCPAddr:
				addr = loopback()
			case *net.UDPAddr:
				addr = &net.UDPAddr{IP: a.IP}
			case *net.UnixAddr:
				addr = unixAddr(r)
			}
			h, err := r.poller.Listen(addr, poll.ListenOptions{SocketOptions: options})
			check("listen", h, err, addr)
		}
	}
}

// reach opens a connection to addr, which must arrive at l.
func (r *rig) reach(l poll.Handle, addr net.Addr) (client, server poll.Handle) {
	r.t.Helper()
	in, out := accept(l), connect(addr)
	r.submit(in)
	r.submit(out)
	r.finish(in, out)
	r.ok("connect", out.Err)
	r.ok("accept", in.Err)
	return out.Handle, in.Accepted
}

// allOfIPv6 has a listener for all of IPv6, and one for all of IPv4 on the same
// port. Another process may have that port in IPv4, hence several tries. On a
// machine without IPv6 it is enough that Listen says so.
func allOfIPv6(r *rig) {
	var six, four poll.Handle
	for tries := 0; four == nil; tries++ {
		var err error
		six, err = r.poller.Listen(&net.TCPAddr{IP: net.IPv6unspecified}, poll.ListenOptions{})
		if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
			r.t.Logf("no IPv6 here: %v", err)
			return
		}
		r.ok("Listen", err)
		four, err = r.poller.Listen(&net.TCPAddr{Port: port(six)}, poll.ListenOptions{})
		if err == nil {
			break
		}
		if tries == 20 {
			r.t.Fatalf("no IPv4 listener beside an IPv6 one: %v", err)
		}
		four = nil
		r.ok("Close", six.Close())
	}
	for _, c := range []struct {
		listener poll.Handle
		to       net.IP
	}{{six, net.IPv6loopback}, {six, net.IPv6unspecified}, {four, loopback().IP}} {
		r.reach(c.listener, &net.TCPAddr{IP: c.to, Port: port(six)})
	}
	r.ok("Close", four.Close())
	op := r.do(connect(&net.TCPAddr{IP: loopback().IP, Port: port(six)}))
	r.want(op, syscall.ECONNREFUSED)
}

func port(h poll.Handle) int { return h.LocalAddr().(*net.TCPAddr).Port }

// unixFile looks for the file with the eyes of another program.
func unixFile(r *rig) {
	addr, inMemory := unixAddr(r), r.poller.Caps().Has(poll.Virtual)
	for range 2 {
		l, err := r.poller.Listen(addr, poll.ListenOptions{})
		r.ok("Listen", err)
		client, server := r.connect(l)
		r.say(client, "hello")
		r.hear(server, "hello")
		for _, when := range []string{"while it is open", "after Close"} {
			if _, err := os.Lstat(addr.Name); errors.Is(err, fs.ErrNotExist) != inMemory {
				r.t.Errorf("%s the file of a listener: %v", when, err)
			}
			if err := l.Close(); (err == nil) != (when == "while it is open") {
				r.t.Errorf("Close %s: %v", when, err)
			}
		}
		if inMemory {
			continue
		}
		if _, err := r.poller.Listen(addr, poll.ListenOptions{}); !errors.Is(err, syscall.EADDRINUSE) {
			r.t.Errorf("Listen where a file is left: %v, want EADDRINUSE", err)
		}
		r.ok("Remove", os.Remove(addr.Name))
	}
}

// unixAddr makes an address in a directory of its own. A test's TempDir may be
// too deep for the 107 bytes of a UNIX address.
func unixAddr(r *rig) *net.UnixAddr {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "poll")
	r.ok("MkdirTemp", err)
	r.t.Cleanup(func() { os.RemoveAll(dir) })
	return &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"}
}
