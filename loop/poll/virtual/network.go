// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"baton/loop/poll"
)

// The range of ports that are chosen automatically (RFC 6335).
const (
	firstPort = 49152
	lastPort  = 65535
)

// A network is one host that owns all addresses; it stores its listeners and datagram sockets.
// A port that was chosen for a connection is in use at every address. This is stricter than a
// kernel, but makes traces easier to read. The code never iterates over the maps, because their
// order is random.
//
// A network belongs to the loop.
type network struct {
	tcp  map[uint16][]*listener // by port, least recently used first
	unix map[string]*listener   // by name
	used map[uint16]int         // number of listeners and conns that hold the port
	port uint16                 // the port to try next

	udp      map[uint16][]*packetConn // by port, least recently used first
	unixgram map[string]*packetConn   // UNIX datagram sockets, by name
}

// newNetwork returns a network without sockets.
func newNetwork() network {
	return network{
		tcp:  make(map[uint16][]*listener),
		unix: make(map[string]*listener),
		used: make(map[uint16]int),
		port: firstPort,

		udp:      make(map[uint16][]*packetConn),
		unixgram: make(map[string]*packetConn),
	}
}

// choosePort returns the next unused port, or false if all are in use. The caller must call
// hold. The search continues after the last chosen port, and does not take the lowest unused
// one. So a port that has just become free stays unused as long as possible.
//
// No other process uses ports, so a program gets the same ports in every run.
func (n *network) choosePort() (uint16, bool) {
	for range lastPort - firstPort + 1 {
		port := n.port
		if n.port++; port == lastPort {
			n.port = firstPort
		}
		if n.used[port] == 0 {
			return port, true
		}
	}
	return 0, false
}

// hold counts one more holder of port. Listeners may share a port, and connections may outlive
// their listener, so a count is necessary.
func (n *network) hold(port uint16) { n.used[port]++ }

// release undoes one hold. For port 0 it does nothing.
func (n *network) release(port uint16) {
	if n.used[port]--; n.used[port] <= 0 {
		delete(n.used, port)
	}
}

// wildcard returns the unspecified address of the family of ip. An IPv6 listener accepts no
// IPv4 connections.
func wildcard(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// overlap reports whether a connection could match listeners at a and at b, both on one port.
// If so, only one of them may have the port, or both must share it. Addresses of different
// families never overlap.
func overlap(a, b netip.Addr) bool {
	return a == b || a.Is4() == b.Is4() && (a.IsUnspecified() || b.IsUnspecified())
}

// find returns the listener for connections to addr, or nil. A listener at that address comes
// before one at the unspecified address. Listeners that share an address get connections in
// rotation. A kernel chooses by a hash; the rotation is as fair, and a test can predict it.
func (n *network) find(addr netip.AddrPort) *listener {
	group := n.tcp[addr.Port()]
	for _, ip := range []netip.Addr{addr.Addr(), wildcard(addr.Addr())} {
		for i, l := range group {
			if l.at.Addr() == ip {
				copy(group[i:], group[i+1:])
				group[len(group)-1] = l
				return l
			}
		}
	}
	return nil
}

// bind binds l to addr. If the port is 0, it chooses one, which is unused at every address.
// Listeners may share an address if all of them have ReusePort. An address is free as soon as
// its listener is closed, even if connections are still open.
func (n *network) bind(l *listener, addr netip.AddrPort, share bool) error {
	if addr.Port() == 0 {
		port, ok := n.choosePort()
		if !ok {
			return os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
		addr = netip.AddrPortFrom(addr.Addr(), port)
	}
	for _, other := range n.tcp[addr.Port()] {
		if overlap(other.at.Addr(), addr.Addr()) && !(share && other.share) {
			return os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
	}
	l.at, l.share = addr, share
	l.addr = net.TCPAddrFromAddrPort(addr)
	n.tcp[addr.Port()] = append(n.tcp[addr.Port()], l)
	n.hold(addr.Port())
	return nil
}

// bindUnix binds l to the name of addr. The name is any text: no file is created, no directory
// is necessary, and the length is not limited. An empty name is an error; Linux would choose an
// abstract name.
func (n *network) bindUnix(l *listener, addr *net.UnixAddr) error {
	if addr.Name == "" {
		return os.NewSyscallError("bind", syscall.EINVAL)
	}
	if n.unix[addr.Name] != nil {
		return os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	l.addr = &net.UnixAddr{Name: addr.Name, Net: "unix"}
	n.unix[addr.Name] = l
	return nil
}

// unbind frees the address of l. If another listener takes the address, it also gets the
// Connects that are still delayed.
func (n *network) unbind(l *listener) {
	if path, ok := l.addr.(*net.UnixAddr); ok {
		delete(n.unix, path.Name)
		return
	}
	port := l.at.Port()
	n.tcp[port] = slices.DeleteFunc(n.tcp[port], func(other *listener) bool { return other == l })
	if len(n.tcp[port]) == 0 {
		delete(n.tcp, port)
	}
	n.release(port)
}

// startConnect starts a Connect with the delay and error of Config.Dial. Until op completes,
// op.Err stores the error.
func (p *Poller) startConnect(op *poll.Op) {
	op.Handle = nil
	if err := controlErr(op.Choices().SocketOptions); err != nil {
		p.finish(op, err)
		return
	}
	if p.config.Dial != nil {
		delay, err := p.config.Dial(op.Addr)
		op.Err = err
		if delay != 0 {
			p.delayed.after(delay, op)
			return
		}
	}
	p.connect(op)
}

// connect continues op after its delay. If op.Err is set, op fails. The listener is determined
// only now, so a server may start during the delay. If no socket has the UNIX path, the error
// is ENOENT, as for a missing file.
func (p *Poller) connect(op *poll.Op) {
	if op.Err != nil {
		p.finish(op, op.Err)
		return
	}
	var l *listener
	refusal := syscall.ECONNREFUSED
	switch addr := op.Addr.(type) {
	case *net.TCPAddr:
		if err := checkIP(addr); err != nil {
			p.finish(op, err)
			return
		}
		l = p.net.find(destination(addr))
	case *net.UnixAddr:
		l, refusal = p.net.unix[addr.Name], syscall.ENOENT
	default:
		p.finish(op, unsupportedAddr(op.Addr))
		return
	}
	if l == nil {
		p.finish(op, os.NewSyscallError("connect", refusal))
		return
	}
	l.enqueue(op)
}

// source returns the local address of a connection to remote. It is local if that is given, and
// otherwise the IP of remote, because the host owns all addresses, with an unused port. A
// requested port must be unused: two connections from it to one destination could not be
// distinguished.
func (n *network) source(local net.Addr, remote netip.AddrPort) (netip.AddrPort, error) {
	from := netip.AddrPortFrom(remote.Addr(), 0)
	if local, ok := local.(*net.TCPAddr); ok && local != nil {
		if err := checkIP(local); err != nil {
			return from, err
		}
		asked := addrPort(local)
		if len(local.IP) == 0 {
			asked = netip.AddrPortFrom(wildcard(remote.Addr()), asked.Port())
		}
		if asked.Addr().Is4() != remote.Addr().Is4() {
			return from, os.NewSyscallError("bind", syscall.EAFNOSUPPORT)
		}
		if asked.Port() != 0 && n.used[asked.Port()] > 0 {
			return from, os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
		if asked.Addr().IsUnspecified() {
			asked = netip.AddrPortFrom(remote.Addr(), asked.Port())
		}
		from = asked
	}
	if from.Port() == 0 {
		port, ok := n.choosePort()
		if !ok {
			return from, os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)
		}
		from = netip.AddrPortFrom(from.Addr(), port)
	}
	return from, nil
}

// checkIP returns an error if the IP of addr has a wrong length. addrPort would treat it like a
// missing IP.
func checkIP(addr *net.TCPAddr) error {
	if len(addr.IP) != 0 && addr.IP.To16() == nil {
		return &net.AddrError{Err: "neither an IPv4 nor an IPv6 address", Addr: addr.IP.String()}
	}
	return nil
}

// addrPort converts addr. An IPv4-mapped IPv6 address becomes IPv4, and a missing IP becomes
// 0.0.0.0.
func addrPort(addr *net.TCPAddr) netip.AddrPort {
	at := addr.AddrPort()
	ip := at.Addr().Unmap()
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(ip, at.Port())
}

// destination returns the address that a connection to addr reaches. If the IP is unspecified
// it is the loopback address, as on Linux. The server's end of the connection has it as its
// local address.
func destination(addr *net.TCPAddr) netip.AddrPort { return reachable(addrPort(addr)) }

// reachable returns at, with the loopback address in place of an unspecified address.
func reachable(at netip.AddrPort) netip.AddrPort {
	switch at.Addr() {
	case netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	case netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	}
	return at
}

// unsupportedAddr returns the error of an address of another type.
func unsupportedAddr(addr net.Addr) error {
	return fmt.Errorf("virtual: address of type %T is not supported; use a TCP, UDP, unix or unixgram address: %w", addr, errors.ErrUnsupported)
}

// networkOf returns the network of addr, which may be nil.
func networkOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.Network()
}
