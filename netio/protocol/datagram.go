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

// A DatagramProtocol is given datagrams. The calls are ConnectionMade once,
// DatagramReceived and ErrorReceived any number of times, and ConnectionLost once. A
// [FlowController] learns when it sends faster than the kernel takes. The methods run on
// the loop's goroutine, and must not switch. A panic in one is given to the loop's
// exception handler, and ends the transport.
type DatagramProtocol interface {
	// ConnectionMade is the first call.
	ConnectionMade(t *DatagramTransport)

	// DatagramReceived is called with one datagram, which may be empty. Its Data are valid
	// until the call returns.
	DatagramReceived(p netio.Packet)

	// ErrorReceived is called with an error of one datagram, such as ECONNREFUSED. The
	// transport remains usable.
	ErrorReceived(err error)

	// ConnectionLost is the last call. Err is nil after Close and Abort.
	ConnectionLost(err error)
}

// A DatagramFactory makes the protocol of a socket. It must not switch.
type DatagramFactory func() DatagramProtocol

// A DatagramConfig holds the choices of a [DatagramTransport]. The zero value is the
// default.
type DatagramConfig struct {
	// Packet is for the socket. The timeouts in it do not count.
	Packet netio.PacketConfig

	// BufferSize is the size of the longest datagram that can be received; the rest of a
	// longer one is lost. The transport holds a buffer of this size. Default 64 KiB, and
	// 256 KiB for UNIX sockets.
	BufferSize int

	// HighWater and LowWater are those of [Transport.SetWriteBufferLimits].
	HighWater, LowWater int
}

// ListenPacket opens a socket of datagrams, for a protocol. It is
// DatagramConfig{}.Listen.
func ListenPacket(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	return DatagramConfig{}.Listen(ctx, network, address, factory)
}

// DialPacket opens a socket of datagrams that has a peer, for a protocol. It is
// DatagramConfig{}.Dial.
func DialPacket(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	return DatagramConfig{}.Dial(ctx, network, address, factory)
}

// Listen opens a socket as [netio.PacketConfig.Listen] does. ConnectionMade has returned
// when it returns. The transport belongs to the scope of ctx. PEP 3156's
// create_datagram_endpoint with a local address.
func (c DatagramConfig) Listen(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	conn, err := c.Packet.Listen(ctx, network, address)
	return c.open(ctx, conn, err, factory)
}

// Dial opens a socket with a peer as [netio.PacketConfig.Dial] does. Otherwise it is
// Listen. PEP 3156's create_datagram_endpoint with a remote address.
func (c DatagramConfig) Dial(ctx context.Context, network, address string, factory DatagramFactory) (*DatagramTransport, error) {
	conn, err := c.Packet.Dial(ctx, network, address)
	return c.open(ctx, conn, err, factory)
}

func (c DatagramConfig) open(ctx context.Context, conn *netio.PacketConn, err error, factory DatagramFactory) (*DatagramTransport, error) {
	if err != nil {
		return nil, err
	}
	defer conn.Close() // unless it is detached
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

// A DatagramTransport is a socket of datagrams, for a protocol. It belongs to one loop:
// callbacks and tasks of that loop may use it. Its methods do not switch.
type DatagramTransport struct {
	socket   *netio.DetachedPacketConn
	loop     *loop.Loop
	protocol DatagramProtocol
	group    *group
	in       poll.Op
	packets  []netio.Packet // of in
	sender   sender

	high, low int
	err       error // of ConnectionLost
	news      task.WaitQueue

	made    bool
	closing bool
	closed  bool
	lost    bool
	queued  bool
	flying  bool // in is in flight
	ready   bool // in is finished, and the protocol has not got the datagram yet
	crowded bool // between PauseWriting and ResumeWriting
}

// LocalAddr returns the address of this end. Safe from every goroutine.
func (t *DatagramTransport) LocalAddr() net.Addr { return t.socket.LocalAddr() }

// RemoteAddr returns the address of the peer, or nil if the socket has none. Safe from
// every goroutine.
func (t *DatagramTransport) RemoteAddr() net.Addr { return t.socket.RemoteAddr() }

// String names the ends.
func (t *DatagramTransport) String() string { return t.socket.String() }

// Loop returns the loop of the transport.
func (t *DatagramTransport) Loop() *loop.Loop { return t.loop }

// Protocol returns the protocol.
func (t *DatagramTransport) Protocol() DatagramProtocol { return t.protocol }

// IsClosing reports whether Close or Abort was called, or the transport has ended.
func (t *DatagramTransport) IsClosing() bool {
	t.held("IsClosing")
	return t.closing
}

// Close ends the transport when everything is sent. A second Close does nothing.
func (t *DatagramTransport) Close() {
	t.held("Close")
	if t.closing {
		return
	}
	t.closing = true
	if len(t.sender.waiting) == 0 {
		t.shut()
	}
}

// Abort ends the transport, and drops what is not sent.
func (t *DatagramTransport) Abort() {
	t.held("Abort")
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
	t.shut()
}

// shut closes the socket. ConnectionLost comes when the operations in flight are back.
func (t *DatagramTransport) shut() {
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

// begin has ConnectionMade called, and waits for that.
func (t *DatagramTransport) begin(ctx context.Context) error {
	t.queue()
	for !t.made && !t.lost {
		if err := t.news.Wait(ctx, task.Text("the transport "+t.String())); err != nil {
			t.abort(err)
			return err
		}
	}
	if p, ok := t.err.(*task.PanicError); ok {
		return p
	}
	return nil
}

func (t *DatagramTransport) held(call string) {
	if !t.loop.Driver().Holder().Held() { // else the name would be an allocation
		mustHold(t.loop, "DatagramTransport."+call, t)
	}
}

func (t *DatagramTransport) queue() {
	if !t.queued && !t.lost {
		t.queued = true
		t.loop.Driver().Ready(loop.Entry{Runner: t})
	}
}

// Run calls the protocol. It is the loop's to call.
func (t *DatagramTransport) Run() {
	t.queued = false
	switch {
	case t.lost:
		return
	case !t.made:
		t.made = true
		t.guard("ConnectionMade", func() { t.protocol.ConnectionMade(t) })
		t.news.WakeAll()
	}
	t.tell()
	t.receive()
	if t.closed && !t.flying && !t.sender.flying {
		t.lost = true
		defer t.group.removeDatagram(t)
		t.guard("ConnectionLost", func() { t.protocol.ConnectionLost(t.err) })
	}
}

// receive gives the protocol one datagram, and receives the next one.
func (t *DatagramTransport) receive() {
	if t.ready {
		t.ready = false
		err := t.in.Err
		switch {
		case t.closing:
		case err == nil:
			t.guard("DatagramReceived", func() { t.protocol.DatagramReceived(t.packets[0]) })
		case isPassing(err):
			t.problem("read", nil, err)
		default:
			t.abort(t.socket.OpError("read", nil, err))
		}
	}
	if t.closing || t.flying {
		return
	}
	t.flying = !t.loop.Driver().Submit(&t.in)
	if !t.flying {
		t.ready = true
		t.queue() // one datagram in a turn
	}
}

// Complete takes a datagram. It is the loop's to call.
func (t *DatagramTransport) Complete(*poll.Op) {
	t.flying, t.ready = false, true
	t.queue()
}

// isPassing reports whether err, of a socket, is about one datagram or one moment.
func isPassing(err error) bool {
	return isAny(err, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.EHOSTDOWN,
		syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EMSGSIZE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM,
		syscall.EACCES, syscall.EADDRNOTAVAIL, syscall.ENOENT, syscall.ENOTCONN, syscall.EDESTADDRREQ, syscall.EPROTO)
}

// problem gives the protocol an error of one datagram, p or nil.
func (t *DatagramTransport) problem(op string, p *netio.Packet, err error) {
	err = t.socket.OpError(op, p, err)
	t.guard("ErrorReceived", func() { t.protocol.ErrorReceived(err) })
}

func (t *DatagramTransport) guard(method string, call func()) {
	returned := false
	defer func() {
		if !returned {
			t.abort(panicked(t.loop, method, t, recover()))
		}
	}()
	call()
	returned = true
}

// tell calls ErrorReceived, PauseWriting and ResumeWriting, if they are due.
func (t *DatagramTransport) tell() {
	failed := t.sender.failed
	t.sender.failed = nil // what fails from now on is for the next turn
	for _, f := range failed {
		if !t.closing {
			t.problem("write", &f.packet, f.err)
		}
	}
	size := t.sender.size
	if t.closing || !t.made || (t.crowded || size <= t.high) && (!t.crowded || size > t.low) {
		return
	}
	t.crowded = !t.crowded
	p, ok := t.protocol.(FlowController)
	switch {
	case !ok:
	case t.crowded:
		t.guard("PauseWriting", p.PauseWriting)
	default:
		t.guard("ResumeWriting", p.ResumeWriting)
	}
}

// Multicaster returns what joins groups and leaves them, or nil if the socket cannot.
func (t *DatagramTransport) Multicaster() poll.Multicaster {
	m, _ := t.socket.Handle.(poll.Multicaster)
	return m
}

// retry is how long a full queue of a UNIX socket is left alone: no event of the kernel
// says when there is room.
const retry = 5 * time.Millisecond

var _ fmt.Stringer = (*DatagramTransport)(nil)
