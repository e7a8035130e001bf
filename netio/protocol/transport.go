// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"baton/internal/stack"
	"baton/loop"
	"baton/loop/poll"
	"baton/netio"
	"baton/netio/internal/record"
	"baton/task"
)

// A Transport is one end of a connection, and calls the methods of its protocol. It belongs to one
// loop: callbacks and tasks of that loop may use it. Methods that take a ctx may switch; the others
// never do.
//
// Errors of the connection are [*net.OpError]. After the end of the connection, methods do nothing,
// or return net.ErrClosed in a [*net.OpError].
type Transport struct {
	loop     *loop.Loop
	handle   poll.Handle
	protocol Base
	group    *group  // of the scope that the transport belongs to
	server   *Server // nil if Connect or Attach made the transport

	op          poll.Op       // the read
	data        []byte        // bytes of op that the protocol has not received yet
	readErr     error         // what comes after data: io.EOF or another error
	tls         *record.Layer // nil without TLS
	out         *outbox       // bytes to send; nil if there are none
	receiveTask *task.Ref     // runs Receive; nil otherwise

	high, low int               // the limits of flow control
	settings  *settings         // from its Config
	err       error             // for ConnectionLost
	waiters   *transportWaiters // the tasks that wait for a change; usually nil

	next, prev *Transport // in group
	local      net.Addr
	remote     net.Addr

	tlsReplies int // bytes that TLS has written by itself since out was nil

	mode         mode
	made         bool // ConnectionMade was called
	closing      bool // after Close, Abort or an error: nothing is read any more
	closed       bool // the handle is closed
	lost         bool // ConnectionLost was called
	queued       bool // Run is in the ready queue
	inFlight     bool // op is in flight
	receiveBegun bool // receiveTask has called Receive
	protocolBuf  bool // op.Buf is memory of the protocol
	inGetBuffer  bool // in GetBuffer, and the protocol was not replaced meanwhile
	providedBuf  bool // op.Buf belongs to the poller, and goes back by Recycle
	moreRecords  bool // tls may have another complete record
	readPaused   bool // PauseReading was called
	suspended    bool // Detach or StartTLS is running
	eof          bool // the peer has ended its writing direction
	writeClosed  bool // CloseWrite was called
	alertOnly    bool // Close has only its TLS alert to send, which may fail
	writePaused  bool // between PauseWriting and ResumeWriting
	inTLSRead    bool // tls is reading; what it writes now is an answer to the peer
}

// settings are the parts of a Config that a transport needs after its start. All transports of a
// server share one value.
type settings struct {
	close time.Duration // CloseTimeout
	tls   netio.TLSOptions
}

// newTransport makes a transport for a connection, as part of g. The caller starts it with queue.
func newTransport(c *Config, o *settings, d *netio.Detached, p Base, g *group) *Transport {
	t := &Transport{loop: d.Loop, protocol: p, mode: modeOf(p), group: g, settings: o}
	t.op.Kind, t.op.Owner = poll.Read, t
	t.adopt(d)
	t.local, t.remote = t.handle.LocalAddr(), t.handle.RemoteAddr()
	t.setLimits(c.HighWater, c.LowWater)
	g.add(t)
	return t
}

// adopt takes over a connection: a new one, or after StartTLS the one of the stream.
func (t *Transport) adopt(d *netio.Detached) {
	t.handle = d.Take()
	t.op.Handle = t.handle
	if d.TLS == nil {
		t.data = d.Ahead
		return
	}
	t.tls, t.moreRecords = d.TLS, true
	t.tls.Unread(d.Ahead)
	t.tls.SetWire((*wire)(t))
}

// LocalAddr returns the local address. It is safe for concurrent use.
func (t *Transport) LocalAddr() net.Addr { return t.local }

// RemoteAddr returns the address of the peer. It is safe for concurrent use.
func (t *Transport) RemoteAddr() net.Addr { return t.remote }

// String returns both addresses, as in "127.0.0.1:7000->127.0.0.1:51234", or the name of a pipe.
func (t *Transport) String() string {
	if t.isPipe() {
		return name(t.local)
	}
	return name(t.local) + "->" + name(t.remote)
}

// isPipe reports whether the connection is a pipe of package process. Both ends of a pipe have the
// same name.
func (t *Transport) isPipe() bool { return t.local == t.remote }

func name(a net.Addr) string {
	if a == nil || a.String() == "" {
		return "unnamed"
	}
	return a.String()
}

// Loop returns the loop of the transport.
func (t *Transport) Loop() *loop.Loop { return t.loop }

// ConnectionState returns the state of the TLS connection. Without TLS, its HandshakeComplete is
// false.
func (t *Transport) ConnectionState() tls.ConnectionState {
	t.checkHeld("ConnectionState")
	if t.tls == nil || t.tls.State() == nil {
		return tls.ConnectionState{}
	}
	return *t.tls.State()
}

// Protocol returns the protocol.
func (t *Transport) Protocol() Base { return t.protocol }

// SetProtocol replaces the protocol by p. The transport makes all further calls to p, including
// ConnectionLost; it does not call ConnectionMade. If writing is paused, p gets no PauseWriting:
// check WritePaused.
func (t *Transport) SetProtocol(p Base) {
	t.checkHeld("SetProtocol")
	m := modeOf(p)
	t.protocol, t.mode = p, m
	t.protocolBuf, t.inGetBuffer = false, false // they are about the old protocol
}

// IsClosing reports whether Close or Abort was called, or the connection has ended.
func (t *Transport) IsClosing() bool {
	t.checkHeld("IsClosing")
	return t.closing
}

func (t *Transport) checkHeld(call string) {
	if !t.loop.Driver().Holder().Held() { // checked first: making the name allocates
		mustHold(t.loop, "Transport."+call, t)
	}
}

// opError returns err as a *net.OpError of this connection.
func (t *Transport) opError(op string, err error) error {
	if e, ok := err.(*net.OpError); ok {
		op, err = e.Op, e.Err
	}
	dressed := &net.OpError{Op: op, Net: t.local.Network(), Source: t.local, Addr: t.remote, Err: err}
	if t.isPipe() {
		dressed.Source = nil
	}
	return dressed
}

// queue makes the loop call Run in the next turn.
func (t *Transport) queue() {
	if !t.queued && !t.lost {
		t.queued = true
		t.loop.Driver().Ready(loop.Entry{Runner: t})
	}
}

// Run calls the methods of the protocol. Only the loop may call it.
func (t *Transport) Run() {
	t.queued = false
	switch {
	case t.lost:
		return
	case !t.made:
		t.made = true
		t.callMethod("ConnectionMade", func() { t.protocol.ConnectionMade(t) })
		t.waiters.connectionMade(t.err)
		t.queue() // in a later turn, so that Connect returns before the first byte
	default:
		t.callFlowControl()
		t.receive()
	}
	// If a call above has closed t, t is queued: ConnectionLost comes in a later turn.
	if t.closed && !t.queued && !t.inFlight && !t.out.isInFlight() && t.receiveTask == nil && !t.suspended {
		t.end()
	}
}

// end ends the transport and calls ConnectionLost.
func (t *Transport) end() {
	t.drop()
	t.lost = true
	defer func() { // also in a Goexit
		t.group.remove(t)
		t.server.transportEnded()
		t.waiters.wake()
	}()
	t.callMethod("ConnectionLost", func() { t.protocol.ConnectionLost(t.err) })
}

// callMethod calls a method of the protocol. If the method panics or calls runtime.Goexit, the
// connection is aborted.
func (t *Transport) callMethod(method string, call func()) {
	returned := false
	defer func() {
		if !returned {
			t.methodFailed(method, recover())
		}
	}()
	call()
	returned = true
}

// methodFailed aborts the connection because a method has panicked with v. A nil v means a Goexit,
// which continues.
func (t *Transport) methodFailed(method string, v any) { t.abort(panicked(t.loop, method, t, v)) }

// panicked reports that a method of a protocol has panicked with v, and returns v as an error. A
// nil v means a Goexit.
func panicked(l *loop.Loop, method string, t fmt.Stringer, v any) error {
	if v == nil {
		return task.ErrGoexit
	}
	p := &task.PanicError{Value: v, Stack: stack.OfPanic(), Task: method + " of " + t.String()}
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	l.CallExceptionHandler(loop.Exception{
		Message: fmt.Sprintf("protocol: %s of %v panicked", method, t),
		Err:     err,
		Stack:   p.Stack,
	})
	return p
}

// transportWaiters are the tasks that wait for a change of a transport. The first task that waits
// allocates it.
type transportWaiters struct {
	queue task.WaitQueue
	made  error // the error that ended the transport before the end of ConnectionMade
}

func (n *transportWaiters) wake() {
	if n != nil {
		n.queue.WakeAll()
	}
}

// connectionMade wakes the task that waits for ConnectionMade.
func (n *transportWaiters) connectionMade(err error) {
	if n != nil {
		n.made = err
		n.wake()
	}
}

// wait waits for a change of the transport.
func (t *Transport) wait(ctx context.Context) error {
	if t.waiters == nil {
		t.waiters = new(transportWaiters)
	}
	return t.waiters.queue.Wait(ctx, t)
}

// Reason returns what a waiting task waits for, for reports.
func (t *Transport) Reason() string { return "the transport " + t.String() }

// Owners returns nil, because no task of the loop ends such a wait.
func (t *Transport) Owners() []*task.Ref { return nil }

// errEmptyBuffer is the error of ConnectionLost after GetBuffer has returned no memory.
var errEmptyBuffer = errors.New("protocol: GetBuffer returned an empty buffer; return at least one byte")
