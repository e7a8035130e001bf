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

// addressCases are about the meaning of addresses in Listen and Connect.
var addressCases = []testCase{
	{
		name:        "address/all of IPv4",
		explanation: "A TCP address without an IP, or with 0.0.0.0, listens on every IPv4 address. A Connect to it goes to this machine. ':7000' in a configuration must mean the same with every poller.",
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
					// The local address of the server's end is what the kernel chose.
					if got := server.LocalAddr().(*net.TCPAddr).IP; !got.Equal(loopback().IP) {
						r.t.Errorf("a connection to IP %v arrived at %v", to, got)
					}
				}
			}
		},
	},
	{
		name:        "address/all of IPv6",
		explanation: "An IPv6 listener accepts no IPv4 connections. Both families can use one port, and a program that wants both listens twice.",
		run:         allOfIPv6,
	},
	{
		name:        "address/another family",
		explanation: "A Connect from a local address of another family fails and returns no handle.",
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
		explanation: "An address that is not a stream address is an error, not a crash, because addresses come from configurations.",
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
		explanation: "With ReusePort several listeners share an address, if all of them set it and the system supports it. If the system does not, Listen returns an error.",
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
			// The system chooses the listener. After one is closed, the other one gets all
			// connections.
			r.ok("Close", other.Close())
			for range 5 {
				r.connect(l)
			}
		},
	},
	{
		name:        "address/control",
		explanation: "A Control function gets a new socket before it is bound or connected, so that callers can set options that package poll does not know. Its error is the error of the call. With a virtual poller the error is errors.ErrUnsupported.",
		run:         controlled,
	},
	{
		name:        "unix/errors",
		explanation: "Connecting to a UNIX address without a listener is an error, and so is listening on a used one.",
		needs:       poll.Unix,
		run: func(r *rig) {
			addr := unixAddr(r)
			if op := r.do(connect(addr)); op.Err == nil || op.Handle != nil {
				r.t.Errorf("Connect without a listener: handle %v, error %v", op.Handle, op.Err)
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
		explanation: "The file of a UNIX listener remains after Close. It may belong to another listener by then, so the caller must remove it. With a virtual poller there is no file.",
		needs:       poll.Unix,
		run:         unixFile,
	},
}

// controlled opens sockets of every kind with a Control function. Some pollers call it on their
// own goroutines.
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
			switch a := addr.(type) { // with an unused port
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

// reach opens a connection to addr, and l must accept it.
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

// allOfIPv6 opens a listener for all of IPv6, and one for all of IPv4 on the same port. Another
// process may use the port in IPv4, so it tries several times. On a machine without IPv6 it
// only expects that Listen fails.
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

// unixFile checks with calls of package os whether the file exists.
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

// unixAddr returns an address in a new directory. The path of TempDir may be longer than the
// 107 bytes of a UNIX address.
func unixAddr(r *rig) *net.UnixAddr {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "poll")
	r.ok("MkdirTemp", err)
	r.t.Cleanup(func() { os.RemoveAll(dir) })
	return &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"}
}
