// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// A Packet is one datagram, with the address of its peer: Addr on a UDP socket, Name
// on a UNIX socket.
type Packet = poll.Packet

// A PacketConfig holds the choices of a [PacketConn]. The zero value is the default.
type PacketConfig struct {
	// LocalAddr is where Dial binds the socket: a *net.UDPAddr (a port of 0 chooses
	// one) or a *net.UnixAddr, without which a UNIX peer cannot answer. Nil lets the
	// kernel choose. Listen ignores it.
	LocalAddr net.Addr

	// Control, if it is not nil, is called with the socket before it is bound or
	// connected, like that of a [Dialer]. The network is "udp4", "udp6" or "unixgram".
	Control func(network, address string, c syscall.RawConn) error

	// ReusePort lets several sockets share the address (SO_REUSEPORT), all of which
	// must say so. On Linux the kernel spreads peers over them; datagrams to a group
	// go to all of them.
	ReusePort bool

	// KeepFile leaves the file of a UNIX socket in place when the socket is closed.
	KeepFile bool

	// Resolver looks up names; nil is that of the system, or of the simulated world.
	Resolver HostResolver

	// ResolveTimeout bounds the look-up of a name. Default 30 s; negative is none.
	ResolveTimeout time.Duration

	// ReadTimeout and WriteTimeout are those of SetReadTimeout and SetWriteTimeout.
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
}

// A PacketConn is a socket of datagrams. It belongs to one loop. One task may receive
// while another sends; a second one in the same direction gets a [*BusyError].
//
// Methods that take a ctx may switch; the others never do. A cancel ends the wait
// with a [*task.Canceled]; no datagram is lost by that. Errors of the world are
// [*net.OpError] around what the kernel said.
//
// A PacketConn must be closed.
type PacketConn struct {
	loop    *loop.Loop
	handle  poll.Handle
	network string
	local   net.Addr
	remote  net.Addr       // nil without a peer
	peer    netip.AddrPort // of UDP, or
	name    string         // of UNIX
	file    *socketFile
	closed  bool
	in, out packetDirection
}

// ListenPacket opens a socket of datagrams. It is PacketConfig{}.Listen.
func ListenPacket(ctx context.Context, network, address string) (*PacketConn, error) {
	return PacketConfig{}.Listen(ctx, network, address)
}

// DialPacket opens a socket of datagrams that has a peer. It is PacketConfig{}.Dial.
func DialPacket(ctx context.Context, network, address string) (*PacketConn, error) {
	return PacketConfig{}.Dial(ctx, network, address)
}

// Listen opens a socket of datagrams on an address of the networks "udp", "udp4",
// "udp6" ("host:port") or "unixgram" (a path, or a name that begins with @). A port of
// 0 chooses one. An empty host means all IPv4 addresses of this machine, or with "udp6"
// all IPv6 addresses. If the host is a name, Listen uses the first of its addresses
// that works.
//
// The file of a UNIX socket is treated as that of a [Listener].
//
// Errors are [*net.OpError] of the operation "listen", or the [*task.Canceled] of a
// cancel during a look-up.
func (c PacketConfig) Listen(ctx context.Context, network, address string) (*PacketConn, error) {
	return c.open(ctx, "listen", network, address)
}

// Dial opens a socket of datagrams with a peer: it sends only to that address, and
// receives only from there. Nothing is sent: a peer that does not exist is found out
// by a Receive or Send (ECONNREFUSED). If the host is a name, Dial uses the first of
// its addresses that this machine can send to. An empty host is this machine.
//
// Errors are [*net.OpError] of the operation "dial", or the [*task.Canceled] of a
// cancel during a look-up.
func (c PacketConfig) Dial(ctx context.Context, network, address string) (*PacketConn, error) {
	return c.open(ctx, "dial", network, address)
}

// open is Listen, or Dial.
func (c PacketConfig) open(ctx context.Context, call, network, address string) (*PacketConn, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if c.LocalAddr == net.Addr((*net.UDPAddr)(nil)) || c.LocalAddr == net.Addr((*net.UnixAddr)(nil)) || call == "listen" {
		c.LocalAddr = nil
	}
	t, err := parsePacket(network, address)
	if err != nil {
		return nil, &net.OpError{Op: call, Net: network, Source: c.LocalAddr, Err: err}
	}
	var addrs []net.Addr
	if addrs, err = t.resolve(ctx, c.Resolver, c.ResolveTimeout); err != nil {
		if _, canceled := err.(*task.Canceled); canceled {
			return nil, err
		}
		return nil, &net.OpError{Op: call, Net: network, Source: c.LocalAddr, Addr: unresolvedAddr(t), Err: err}
	}
	conn := &PacketConn{loop: r.Loop(), network: network}
	for _, addr := range addrs {
		if err = conn.make(c, call, packetAddr(addr)); err == nil {
			conn.start(c)
			return conn, nil
		}
	}
	return nil, err
}

// parsePacket reads an address as parse does. The target of a UDP address is that of
// the same address of TCP, for which addresses are looked up.
func parsePacket(network, address string) (target, error) {
	switch network {
	case "unixgram":
		return parse("unix", address)
	case "udp", "udp4", "udp6":
	default:
		return target{}, net.UnknownNetworkError(network)
	}
	if host, service, err := net.SplitHostPort(address); err == nil {
		n, err := port(network, service) // a service may have another port than in TCP
		if err != nil {
			return target{}, err
		}
		t, err := parse("tcp"+network[len("udp"):], net.JoinHostPort(host, "0"))
		t.text, t.port = address, n
		return t, err
	}
	return parse("tcp"+network[len("udp"):], address) // for its error
}

// packetAddr returns an address of streams as one of datagrams.
func packetAddr(addr net.Addr) net.Addr {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return &net.UDPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone}
	case *net.UnixAddr:
		return &net.UnixAddr{Name: a.Name, Net: "unixgram"}
	}
	return addr
}

// make opens the socket. bound is the address at which a UNIX socket makes a file.
func (c *PacketConn) make(config PacketConfig, call string, addr net.Addr) error {
	bound, bind := addr, func() error { return c.listen(config, addr) }
	if call == "dial" {
		bound, bind = config.LocalAddr, func() error { return c.dial(config, addr) }
	}
	path, ok := bound.(*net.UnixAddr)
	if !ok {
		return bind()
	}
	onDisk := path.Name != "" && !strings.HasPrefix(path.Name, "@") && !c.loop.Poller().Caps().Has(poll.Virtual)
	err := bind()
	if onDisk && errors.Is(err, syscall.EADDRINUSE) && isStale(path.Name) {
		err = replaceStale(call, path, bind)
	}
	if err == nil && onDisk && !config.KeepFile {
		c.file = newSocketFile(path.Name)
	}
	return err
}

// listen makes a socket without a peer.
func (c *PacketConn) listen(config PacketConfig, addr net.Addr) (err error) {
	o := poll.ListenOptions{ReusePort: config.ReusePort}
	hook := control(&o.SocketOptions, config.Control)
	c.handle, err = c.loop.Poller().Listen(addr, o)
	hook.rethrow(func() {})
	return err
}

// dial makes a socket with a peer. The operation finishes at once.
func (c *PacketConn) dial(config PacketConfig, addr net.Addr) error {
	_, udp := addr.(*net.UDPAddr)
	_, fits := config.LocalAddr.(*net.UnixAddr)
	if udp {
		_, fits = config.LocalAddr.(*net.UDPAddr)
	}
	if config.LocalAddr != nil && !fits {
		err := &net.AddrError{Err: "local address is of another family", Addr: config.LocalAddr.String()}
		return &net.OpError{Op: "dial", Net: c.network, Source: config.LocalAddr, Addr: addr, Err: err}
	}
	o := poll.ConnectOptions{Local: config.LocalAddr}
	hook := control(&o.SocketOptions, config.Control)
	op := poll.Op{Kind: poll.Connect, Addr: addr, Options: &o}
	if !c.loop.Driver().Submit(&op) {
		panic("netio: the poller has a Connect of datagrams wait")
	}
	hook.rethrow(func() {})
	if op.Err != nil {
		return &net.OpError{Op: "dial", Net: c.network, Source: config.LocalAddr, Addr: addr, Err: op.Err}
	}
	c.handle = op.Handle
	c.setPeer()
	return nil
}

// setPeer takes the peer from the handle, if it has one.
func (c *PacketConn) setPeer() {
	c.remote = c.handle.RemoteAddr()
	switch a := c.remote.(type) {
	case *net.UDPAddr:
		at := a.AddrPort()
		c.peer = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	case *net.UnixAddr:
		c.name = a.Name
	}
}

// start makes c ready for use.
func (c *PacketConn) start(config PacketConfig) {
	c.local = c.handle.LocalAddr()
	c.in.open(c, poll.Receive)
	c.out.open(c, poll.Send)
	c.SetReadTimeout(config.ReadTimeout)
	c.SetWriteTimeout(config.WriteTimeout)
}

// LocalAddr returns the address of this end. Safe from every goroutine.
func (c *PacketConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the peer, or nil if the socket has none. Safe from
// every goroutine.
func (c *PacketConn) RemoteAddr() net.Addr { return c.remote }

// String names the ends, as in "127.0.0.1:7000->127.0.0.1:53".
func (c *PacketConn) String() string {
	if c.remote == nil {
		return name(c.local)
	}
	return name(c.local) + "->" + name(c.remote)
}

// SetReadTimeout bounds how long a Receive may wait, from the next call on. The error
// is os.ErrDeadlineExceeded, in a [*net.OpError]. Zero is no timeout.
func (c *PacketConn) SetReadTimeout(d time.Duration) {
	c.held("PacketConn.SetReadTimeout")
	c.in.timeout = max(d, 0)
}

// SetWriteTimeout bounds how long a Send may wait, like SetReadTimeout.
func (c *PacketConn) SetWriteTimeout(d time.Duration) {
	c.held("PacketConn.SetWriteTimeout")
	c.out.timeout = max(d, 0)
}

// Close closes the socket, and removes the file of a UNIX socket. Calls that wait end
// with net.ErrClosed, as do later ones, a second Close included.
func (c *PacketConn) Close() error {
	c.held("PacketConn.Close")
	if c.closed {
		return c.opError("close", nil, net.ErrClosed)
	}
	c.closed = true
	var err error
	if c.file != nil {
		err = c.file.remove()
	}
	return errors.Join(err, c.handle.Close())
}

// held panics unless the caller may use the socket.
func (c *PacketConn) held(call string) { mustHold(c.loop, call, c) }

// opError dresses an error of the world. to is the destination of a datagram, or nil.
func (c *PacketConn) opError(op string, to net.Addr, err error) error {
	if to == nil {
		to = c.remote
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.local, Addr: to, Err: err}
}
