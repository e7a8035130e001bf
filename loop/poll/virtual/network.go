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

// The ports that are given to those who do not ask for one (RFC 6335).
const (
	firstPort = 49152
	lastPort  = 65535
)

// A network knows who listens where. All addresses are those of one host, so a
// connection never leaves it, and a port chosen for a connection is nobody
// else's at any address: coarser than a kernel, but a trace is easier to read.
// Its maps are only looked into, never walked: their order is the runtime's.
//
// It belongs to the loop, like the whole of the poller but its clock.
type network struct {
	tcp  map[uint16][]*listener // by port, those whose turn is longest ago first
	unix map[string]*listener   // by path
	used map[uint16]int         // how many listeners and conns hold a port
	port uint16                 // to be tried next

	udp       map[uint16][]*packets // by port, those whose turn is longest ago first
	mailboxes map[string]*packets   // UNIX sockets of datagrams, by name
}

// newNetwork is a host on which nobody listens.
func newNetwork() network {
	return network{
		tcp:  make(map[uint16][]*listener),
		unix: make(map[string]*listener),
		used: make(map[uint16]int),
		port: firstPort,

		udp:       make(map[uint16][]*packets),
		mailboxes: make(map[string]*packets),
	}
}

// choosePort returns the next port that nobody holds, or false if all are held.
// It does not hold it: whoever takes it does, when nothing can fail any more.
// Going round, instead of taking the lowest free one, keeps a port that was just
// given up out of use for as long as possible.
//
// No other process takes ports away, so a program gets the same ones in each
// run.
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

// hold notes one more holder of port; release takes it back. Port 0 is none:
// ends that hold nothing may release it. A count is needed, and not a mark,
// because listeners may share a port, and connections may outlive theirs.
func (n *network) hold(port uint16) { n.used[port]++ }

func (n *network) release(port uint16) {
	if n.used[port]--; n.used[port] <= 0 {
		delete(n.used, port)
	}
}

// wildcard returns the address that stands for all of the family of ip. There is
// none for both families: an IPv6 listener takes no IPv4 connections.
func wildcard(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// overlap tells whether a connection could be for a listener at a as well as
// for one at b, both on one port. If it could, only one of them may have it, or
// both must share. Families never overlap.
func overlap(a, b netip.Addr) bool {
	return a == b || a.Is4() == b.Is4() && (a.IsUnspecified() || b.IsUnspecified())
}

// find returns the listener for connections to addr, or nil: one at that very
// address before one for all addresses, and of several that share it the one
// whose turn is longest ago. A kernel draws one by a hash of the addresses;
// taking turns is as fair, and can be foretold by a test.
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

// bind gives l the address addr, with a port of its own if that is 0. Nobody
// else has that one at any address, so the loop below finds nothing then. To
// share an address all who have it must want to. Nothing lingers, so an address
// is free as soon as its listener is closed, even while its connections live
// on.
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

// bindUnix gives l the name of addr, which is text and nothing else: no file, no
// directory that must exist, no limit of length. An empty name, for which Linux
// would choose an abstract one, is refused.
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

// unbind takes the address of l away. It is another's from then on, who may even
// get the Connects that are still on their way.
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

// startConnect asks for the fate of a Connect and lets it take its course. The
// error that awaits it waits in op.Err meanwhile, which nobody reads before the
// operation is finished.
func (p *Poller) startConnect(op *poll.Op) {
	op.Handle = nil
	if err := uncontrolled(op.Choices().SocketOptions); err != nil {
		p.finish(op, err)
		return
	}
	if p.config.Dial != nil {
		delay, err := p.config.Dial(op.Addr)
		op.Err = err
		if delay != 0 {
			p.later.after(delay, op)
			return
		}
	}
	p.connect(op)
}

// connect lets op arrive at its goal, or fail with the fate in op.Err. A UNIX
// path that nobody listens at is a file that is not there: ENOENT. Who listens
// is asked on arrival and not before, so a server may start in the meantime.
func (p *Poller) connect(op *poll.Op) {
	if op.Err != nil {
		p.finish(op, op.Err)
		return
	}
	var l *listener
	refusal := syscall.ECONNREFUSED
	switch addr := op.Addr.(type) {
	case *net.TCPAddr:
		if err := malformed(addr); err != nil {
			p.finish(op, err)
			return
		}
		l = p.net.find(destination(addr))
	case *net.UnixAddr:
		l, refusal = p.net.unix[addr.Name], syscall.ENOENT
	default:
		p.finish(op, unsupported(op.Addr))
		return
	}
	if l == nil {
		p.finish(op, os.NewSyscallError("connect", refusal))
		return
	}
	l.arrive(op)
}

// source chooses where a connection to remote comes from: the address that
// local asks for, if any, and otherwise the very address it goes to, since one
// host owns them all, with a port of its own. A port that is asked for must be
// nobody else's: two connections from it to one goal could not be told apart.
func (n *network) source(local net.Addr, remote netip.AddrPort) (netip.AddrPort, error) {
	from := netip.AddrPortFrom(remote.Addr(), 0)
	if local, ok := local.(*net.TCPAddr); ok && local != nil {
		if err := malformed(local); err != nil {
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

// malformed tells what is wrong with an address whose IP has a length that no
// family has. For addrPort it would be the same as no IP, which means all.
func malformed(addr *net.TCPAddr) error {
	if len(addr.IP) != 0 && addr.IP.To16() == nil {
		return &net.AddrError{Err: "neither an IPv4 nor an IPv6 address", Addr: addr.IP.String()}
	}
	return nil
}

// addrPort is addr in its shortest form; no IP at all means all of IPv4.
func addrPort(addr *net.TCPAddr) netip.AddrPort {
	at := addr.AddrPort()
	ip := at.Addr().Unmap()
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(ip, at.Port())
}

// destination is where a connection to addr goes: to the loopback address if it
// does not say where, as with Linux. What the other end sees as its own address
// is the one that is found here.
func destination(addr *net.TCPAddr) netip.AddrPort { return reachable(addrPort(addr)) }

// reachable is at, or the loopback address in place of one that stands for all.
func reachable(at netip.AddrPort) netip.AddrPort {
	switch at.Addr() {
	case netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	case netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	}
	return at
}

// unsupported is the error of an address that is neither TCP nor UNIX-domain.
func unsupported(addr net.Addr) error {
	return fmt.Errorf("virtual: address of type %T: %w", addr, errors.ErrUnsupported)
}

// networkOf is what an error says about addr, which may be missing.
func networkOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.Network()
}
