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

// A Packet is one datagram, with the address of its peer: Addr for UDP, Name for a UNIX
// socket.
type Packet = poll.Packet

// A PacketConfig configures a [PacketConn]. The zero value is the default.
type PacketConfig struct {
	// LocalAddr is the address to which Dial binds the socket: a *net.UDPAddr (port 0 means
	// a free port) or a *net.UnixAddr. Without it, the peer of a UNIX socket cannot answer.
	// Nil lets the kernel choose. Listen ignores it.
	LocalAddr net.Addr

	// Control, if not nil, is called with the socket before it is bound or connected, like
	// the Control of a [Dialer]. The network is "udp4", "udp6" or "unixgram".
	Control func(network, address string, c syscall.RawConn) error

	// ReusePort lets several sockets share the address (SO_REUSEPORT). All of them must set
	// it. On Linux the kernel distributes peers over these sockets; a datagram to a group
	// goes to all of them.
	ReusePort bool

	// KeepFile keeps the file of a UNIX socket when the socket is closed.
	KeepFile bool

	// Resolver looks up names. Nil means the resolver of the system, or of the simulated
	// world.
	Resolver HostResolver

	// ResolveTimeout limits the look-up of a name. The default is 30 s; negative means no
	// limit.
	ResolveTimeout time.Duration

	// ReadTimeout and WriteTimeout are the initial values of SetReadTimeout and
	// SetWriteTimeout.
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
}

// A PacketConn is a datagram socket. It belongs to one loop. One task may receive while
// another sends. A second receiver, or a second sender, gets a [*BusyError].
//
// Methods that take a ctx may switch; the others never do. A cancel ends a wait with a
// [*task.Canceled], and loses no datagram. Errors of the network are [*net.OpError] around
// the kernel's error.
//
// A PacketConn must be closed.
type PacketConn struct {
	loop    *loop.Loop
	handle  poll.Handle
	network string
	local   net.Addr
	remote  net.Addr       // nil without a peer
	peer    netip.AddrPort // the peer of a UDP socket
	name    string         // the peer's name of a UNIX socket
	file    *socketFile
	closed  bool
	in, out packetDirection
}

// ListenPacket opens a datagram socket. It is PacketConfig{}.Listen.
func ListenPacket(ctx context.Context, network, address string) (*PacketConn, error) {
	return PacketConfig{}.Listen(ctx, network, address)
}

// DialPacket opens a datagram socket with a peer. It is PacketConfig{}.Dial.
func DialPacket(ctx context.Context, network, address string) (*PacketConn, error) {
	return PacketConfig{}.Dial(ctx, network, address)
}

// Listen opens a datagram socket on an address of the network "udp", "udp4", "udp6" or
// "unixgram". A UDP address is "host:port". A UNIX address is a path, or a name that begins
// with @. Port 0 means a free port. An empty host means all IPv4 addresses of this machine,
// or all IPv6 addresses with "udp6". If the host is a name, Listen uses the first of its
// addresses that works.
//
// Listen treats the file of a UNIX socket like [ListenConfig.Listen] does.
//
// Errors are [*net.OpError] with Op "listen". A cancel during a look-up returns the
// [*task.Canceled].
func (c PacketConfig) Listen(ctx context.Context, network, address string) (*PacketConn, error) {
	return c.open(ctx, "listen", network, address)
}

// Dial opens a datagram socket with a peer. The socket sends only to that address, and
// receives only from it. Dial sends nothing: if the peer does not exist, a later Receive or
// Send returns ECONNREFUSED. If the host is a name, Dial uses the first of its addresses
// that this machine can send to. An empty host means this machine.
//
// Errors are [*net.OpError] with Op "dial". A cancel during a look-up returns the
// [*task.Canceled].
func (c PacketConfig) Dial(ctx context.Context, network, address string) (*PacketConn, error) {
	return c.open(ctx, "dial", network, address)
}

// open implements Listen and Dial.
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

// parsePacket parses an address like parse. For UDP it returns a target of the TCP network,
// whose addresses can be looked up.
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

// packetAddr converts a TCP address to a UDP address, and a UNIX address to its datagram
// network.
func packetAddr(addr net.Addr) net.Addr {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return &net.UDPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone}
	case *net.UnixAddr:
		return &net.UnixAddr{Name: a.Name, Net: "unixgram"}
	}
	return addr
}

// make opens the socket. bound is the address at which a UNIX socket creates a file.
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

// listen opens a socket without a peer.
func (c *PacketConn) listen(config PacketConfig, addr net.Addr) (err error) {
	o := poll.ListenOptions{ReusePort: config.ReusePort}
	hook := control(&o.SocketOptions, config.Control)
	c.handle, err = c.loop.Poller().Listen(addr, o)
	hook.rethrow(func() {})
	return err
}

// dial opens a socket with a peer. The operation completes at once.
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
		panic("netio: the poller does not complete a Connect of a datagram socket at once")
	}
	hook.rethrow(func() {})
	if op.Err != nil {
		return &net.OpError{Op: "dial", Net: c.network, Source: config.LocalAddr, Addr: addr, Err: op.Err}
	}
	c.handle = op.Handle
	c.setPeer()
	return nil
}

// setPeer takes the peer from the handle, if there is one.
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

// LocalAddr returns the local address. It is safe for concurrent use.
func (c *PacketConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the peer, or nil if the socket has none. It is safe for
// concurrent use.
func (c *PacketConn) RemoteAddr() net.Addr { return c.remote }

// String returns both addresses, as in "127.0.0.1:7000->127.0.0.1:53", or the local one if
// the socket has no peer.
func (c *PacketConn) String() string {
	if c.remote == nil {
		return name(c.local)
	}
	return name(c.local) + "->" + name(c.remote)
}

// SetReadTimeout sets how long a Receive may wait, from the next call on. The error is
// os.ErrDeadlineExceeded in a [*net.OpError]. Zero means no timeout.
func (c *PacketConn) SetReadTimeout(d time.Duration) {
	c.held("PacketConn.SetReadTimeout")
	c.in.timeout = max(d, 0)
}

// SetWriteTimeout sets how long a Send may wait. Otherwise it is like SetReadTimeout.
func (c *PacketConn) SetWriteTimeout(d time.Duration) {
	c.held("PacketConn.SetWriteTimeout")
	c.out.timeout = max(d, 0)
}

// Close closes the socket, and removes the file of a UNIX socket. Waiting calls and later
// calls fail with net.ErrClosed, a second Close too.
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

// opError wraps an error of the network. to is the destination of a datagram, or nil.
func (c *PacketConn) opError(op string, to net.Addr, err error) error {
	if to == nil {
		to = c.remote
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.local, Addr: to, Err: err}
}
