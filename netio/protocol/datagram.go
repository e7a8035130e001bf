// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/netio"
	"baton/task"
)

// A DatagramProtocol receives datagrams. The loop calls ConnectionMade once, DatagramReceived and
// ErrorReceived any number of times, and ConnectionLost once. A [FlowController] also learns that
// it sends faster than the kernel accepts. The methods are callbacks and must not switch. A panic
// in a method ends the transport, and goes to the loop's exception handler.
type DatagramProtocol interface {
	// ConnectionMade is the first call.
	ConnectionMade(t *DatagramTransport)

	// DatagramReceived receives one datagram, which may be empty. p.Data is valid until
	// DatagramReceived returns.
	DatagramReceived(p netio.Packet)

	// ErrorReceived receives the error of one datagram, such as ECONNREFUSED. The transport
	// remains usable.
	ErrorReceived(err error)

	// ConnectionLost is the last call. err is nil after Close and after Abort.
	ConnectionLost(err error)
}

// A DatagramFactory makes the protocol for a socket. It must not switch.
type DatagramFactory func() DatagramProtocol

// A DatagramConfig holds the options of a [DatagramTransport]. The zero value is the default.
type DatagramConfig struct {
	// Packet holds the options of the socket. Its timeouts have no effect.
	Packet netio.PacketConfig

	// BufferSize is the length of the longest datagram that the transport can receive, in bytes.
	// The rest of a longer datagram is lost. The transport keeps a buffer of this size. The
	// default is 64 KiB, and 256 KiB for UNIX sockets.
	BufferSize int

	// HighWater and LowWater are the arguments of [Transport.SetWriteBufferLimits].
	HighWater, LowWater int
}

// ListenPacket opens a datagram socket and makes a protocol for it. It calls
// DatagramConfig{}.Listen.
func ListenPacket(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	return DatagramConfig{}.Listen(ctx, network, address, factory)
}

// DialPacket opens a datagram socket with a peer and makes a protocol for it. It calls
// DatagramConfig{}.Dial.
func DialPacket(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	return DatagramConfig{}.Dial(ctx, network, address, factory)
}

// Listen opens a socket, like [netio.PacketConfig.Listen], and calls factory. It returns after
// ConnectionMade. The transport belongs to the scope of ctx. In PEP 3156 it is
// create_datagram_endpoint with a local address.
func (c DatagramConfig) Listen(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	conn, err := c.Packet.Listen(ctx, network, address)
	return c.open(ctx, conn, err, factory)
}

// Dial opens a socket with a peer, like [netio.PacketConfig.Dial]. Otherwise it does what Listen
// does. In PEP 3156 it is create_datagram_endpoint with a remote address.
func (c DatagramConfig) Dial(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	conn, err := c.Packet.Dial(ctx, network, address)
	return c.open(ctx, conn, err, factory)
}

func (c DatagramConfig) open(ctx context.Context, conn *netio.PacketConn, err error, factory DatagramFactory) (*DatagramTransport, error) {
	if err != nil {
		return nil, err
	}
	defer conn.Close() // does nothing after Detach
	high, low := limits(c.HighWater, c.LowWater)
	p := factory()
	d, err := conn.Detach()
	if err != nil {
		return nil, err
	}
	t := &DatagramTransport{socket: d, loop: d.Loop, protocol: p, group: groupOf(ctx), high: high, low: low}
	size := c.BufferSize
	switch {
	case size > 0:
	case d.Network() == "unixgram":
		size = 256 << 10
	default:
		size = 64 << 10
	}
	t.in = poll.Op{Kind: poll.Receive, Handle: d.Handle, Owner: t, Packets: &t.packets}
	t.packets = []netio.Packet{{Data: make([]byte, 0, size)}}
	t.sender.init(t)
	t.group.addDatagram(t)
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// A DatagramTransport is a datagram socket, and calls the methods of its protocol. It belongs to
// one loop: callbacks and tasks of that loop may use it. Its methods do not switch.
type DatagramTransport struct {
	socket   *netio.DetachedPacketConn
	loop     *loop.Loop
	protocol DatagramProtocol
	group    *group
	in       poll.Op
	packets  []netio.Packet // of in
	sender   datagramSender

	high, low int
	err       error // for ConnectionLost
	waiters   task.WaitQueue

	made        bool
	closing     bool
	closed      bool
	lost        bool
	queued      bool
	inFlight    bool // in is in flight
	ready       bool // in is complete; the protocol has not received its datagram yet
	writePaused bool // between PauseWriting and ResumeWriting
}

// LocalAddr returns the local address. It is safe for concurrent use.
func (t *DatagramTransport) LocalAddr() net.Addr { return t.socket.LocalAddr() }

// RemoteAddr returns the address of the peer, or nil if the socket has no peer. It is safe for
// concurrent use.
func (t *DatagramTransport) RemoteAddr() net.Addr { return t.socket.RemoteAddr() }

// String returns the addresses of the socket.
func (t *DatagramTransport) String() string { return t.socket.String() }

// Loop returns the loop of the transport.
func (t *DatagramTransport) Loop() *loop.Loop { return t.loop }

// Protocol returns the protocol.
func (t *DatagramTransport) Protocol() DatagramProtocol { return t.protocol }

// IsClosing reports whether Close or Abort was called, or the transport has ended.
func (t *DatagramTransport) IsClosing() bool {
	t.checkHeld("IsClosing")
	return t.closing
}

// Close closes the transport after everything is sent. It does not wait. A second Close does
// nothing.
func (t *DatagramTransport) Close() {
	t.checkHeld("Close")
	if t.closing {
		return
	}
	t.closing = true
	if len(t.sender.waiting) == 0 {
		t.closeHandle()
	}
}

// Abort closes the transport at once, and drops what is not sent.
func (t *DatagramTransport) Abort() {
	t.checkHeld("Abort")
	t.abort(nil)
}

func (t *DatagramTransport) abort(err error) {
	if t.closed {
		return
	}
	if t.err == nil {
		t.err = err
	}
	t.closing = true
	t.closeHandle()
}

// closeHandle closes the socket. ConnectionLost comes when no operation is in flight any more.
func (t *DatagramTransport) closeHandle() {
	if t.closed {
		return
	}
	t.closed = true
	t.sender.drop()
	if err := t.socket.Close(); err != nil && t.err == nil {
		t.err = err // the file of a UNIX socket could not be removed
	}
	t.queue()
}

// begin starts the transport, and waits for ConnectionMade.
func (t *DatagramTransport) begin(ctx context.Context) error {
	t.queue()
	for !t.made && !t.lost {
		if err := t.waiters.Wait(ctx, task.Text("the transport "+t.String())); err != nil {
			t.abort(err)
			return err
		}
	}
	if p, ok := t.err.(*task.PanicError); ok {
		return p
	}
	return nil
}

func (t *DatagramTransport) checkHeld(call string) {
	if !t.loop.Driver().Holder().Held() { // checked first: making the name allocates
		mustHold(t.loop, "DatagramTransport."+call, t)
	}
}

func (t *DatagramTransport) queue() {
	if !t.queued && !t.lost {
		t.queued = true
		t.loop.Driver().Ready(loop.Entry{Runner: t})
	}
}

// Run calls the methods of the protocol. Only the loop may call it.
func (t *DatagramTransport) Run() {
	t.queued = false
	switch {
	case t.lost:
		return
	case !t.made:
		t.made = true
		t.callMethod("ConnectionMade", func() { t.protocol.ConnectionMade(t) })
		t.waiters.WakeAll()
	}
	t.callDue()
	t.receive()
	if t.closed && !t.inFlight && !t.sender.inFlight {
		t.lost = true
		defer t.group.removeDatagram(t)
		t.callMethod("ConnectionLost", func() { t.protocol.ConnectionLost(t.err) })
	}
}

// receive passes one datagram to the protocol, and receives the next one.
func (t *DatagramTransport) receive() {
	if t.ready {
		t.ready = false
		err := t.in.Err
		switch {
		case t.closing:
		case err == nil:
			t.callMethod("DatagramReceived", func() { t.protocol.DatagramReceived(t.packets[0]) })
		case isTransient(err):
			t.errorReceived("read", nil, err)
		default:
			t.abort(t.socket.OpError("read", nil, err))
		}
	}
	if t.closing || t.inFlight {
		return
	}
	t.inFlight = !t.loop.Driver().Submit(&t.in)
	if !t.inFlight {
		t.ready = true
		t.queue() // one datagram per turn
	}
}

// Complete takes the result of a receive operation. Only the loop may call it.
func (t *DatagramTransport) Complete(*poll.Op) {
	t.inFlight, t.ready = false, true
	t.queue()
}

// isTransient reports whether the socket remains usable after err.
func isTransient(err error) bool {
	return isAny(err, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.EHOSTDOWN,
		syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EMSGSIZE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM,
		syscall.EACCES, syscall.EADDRNOTAVAIL, syscall.ENOENT, syscall.ENOTCONN, syscall.EDESTADDRREQ, syscall.EPROTO)
}

// errorReceived passes the error of a datagram to the protocol. P may be nil.
func (t *DatagramTransport) errorReceived(op string, p *netio.Packet, err error) {
	err = t.socket.OpError(op, p, err)
	t.callMethod("ErrorReceived", func() { t.protocol.ErrorReceived(err) })
}

func (t *DatagramTransport) callMethod(method string, call func()) {
	returned := false
	defer func() {
		if !returned {
			t.abort(panicked(t.loop, method, t, recover()))
		}
	}()
	call()
	returned = true
}

// callDue calls ErrorReceived, PauseWriting and ResumeWriting if they are due.
func (t *DatagramTransport) callDue() {
	failed := t.sender.failed
	t.sender.failed = nil // later failures are for the next turn
	for _, f := range failed {
		if !t.closing {
			t.errorReceived("write", &f.packet, f.err)
		}
	}
	size := t.sender.size
	if t.closing || !t.made || (t.writePaused || size <= t.high) && (!t.writePaused || size > t.low) {
		return
	}
	t.writePaused = !t.writePaused
	p, ok := t.protocol.(FlowController)
	switch {
	case !ok:
	case t.writePaused:
		t.callMethod("PauseWriting", p.PauseWriting)
	default:
		t.callMethod("ResumeWriting", p.ResumeWriting)
	}
}

// Multicaster returns the socket's interface to join and leave multicast groups, or nil if it has
// none.
func (t *DatagramTransport) Multicaster() poll.Multicaster {
	m, _ := t.socket.Handle.(poll.Multicaster)
	return m
}

// retryDelay is how long a sender waits after a UNIX socket's queue was full. The kernel reports no
// event when the queue has space again.
const retryDelay = 5 * time.Millisecond

var _ fmt.Stringer = (*DatagramTransport)(nil)
