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

// A Transport is one end of a connection, for a protocol. It belongs to one loop:
// callbacks and tasks of that loop may use it. Methods that take a ctx may switch; the
// others never do.
//
// Errors of the world are [*net.OpError]. After the end of the connection the methods do
// nothing, or return net.ErrClosed in a [*net.OpError].
type Transport struct {
	loop     *loop.Loop
	handle   poll.Handle
	protocol Base
	group    *group  // whose scope it belongs to
	server   *Server // or nil

	op   poll.Op       // that reads
	data []byte        // what op has read and the protocol has not got yet
	rest error         // and what comes after it: io.EOF, or another end
	tls  *record.Layer // nil without TLS
	out  *outbox       // what is to be sent; nil if there is nothing
	work *task.Ref     // for Receive, or nil

	high, low int      // limits of the outbox
	choices   *choices // of its Config
	err       error    // of ConnectionLost
	news      *news    // for tasks that wait for something here; usually nil

	next, prev *Transport // in group
	local      net.Addr
	remote     net.Addr

	answers int // bytes that TLS has written by itself since the outbox was empty

	mode      mode
	made      bool // ConnectionMade was called
	closing   bool // by Close, Abort or an error: nothing is read any more
	closed    bool // the handle is closed
	lost      bool // ConnectionLost was called
	queued    bool // is in the ready queue
	flying    bool // op is in flight
	begun     bool // work has called Receive
	own       bool // op.Buf is of the protocol's memory
	asking    bool // in GetBuffer, of a protocol that was not replaced meanwhile
	lent      bool // op.Buf is the poller's, and goes back by Recycle
	more      bool // tls may have another record
	deaf      bool // by PauseReading
	suspended bool // by Detach or StartTLS
	ended     bool // the peer has ended its direction
	writeEnd  bool // CloseWrite was called
	bye       bool // Close has nothing to send but its alert, which may fail
	crowded   bool // between PauseWriting and ResumeWriting
	inTLS     bool // tls reads, and what it writes is an answer
}

// choices are what a transport needs of its Config after the start. Those of a server share
// one.
type choices struct {
	close time.Duration // CloseTimeout
	tls   netio.TLSOptions
}

// newTransport makes a transport of a connection that belongs to g. It begins when it is
// queued.
func newTransport(c *Config, o *choices, d *netio.Detached, p Base, g *group) *Transport {
	t := &Transport{loop: d.Loop, protocol: p, mode: modeOf(p), group: g, choices: o}
	t.op.Kind, t.op.Owner = poll.Read, t
	t.adopt(d)
	t.local, t.remote = t.handle.LocalAddr(), t.handle.RemoteAddr()
	t.setLimits(c.HighWater, c.LowWater)
	g.add(t)
	return t
}

// adopt takes over a connection: a new one, or one that comes back from a stream.
func (t *Transport) adopt(d *netio.Detached) {
	t.handle = d.Take()
	t.op.Handle = t.handle
	if d.TLS == nil {
		t.data = d.Ahead
		return
	}
	t.tls, t.more = d.TLS, true
	t.tls.Unread(d.Ahead)
	t.tls.SetWire((*wire)(t))
}

// LocalAddr returns the address of this end. Safe from every goroutine.
func (t *Transport) LocalAddr() net.Addr { return t.local }

// RemoteAddr returns the address of the peer. Safe from every goroutine.
func (t *Transport) RemoteAddr() net.Addr { return t.remote }

// String names both ends, as in "127.0.0.1:7000->127.0.0.1:51234". A pipe has one name.
func (t *Transport) String() string {
	if t.isPipe() {
		return name(t.local)
	}
	return name(t.local) + "->" + name(t.remote)
}

// isPipe reports whether the connection is a pipe of package process, whose ends have one
// name.
func (t *Transport) isPipe() bool { return t.local == t.remote }

func name(a net.Addr) string {
	if a == nil || a.String() == "" {
		return "unnamed"
	}
	return a.String()
}

// Loop returns the loop of the transport.
func (t *Transport) Loop() *loop.Loop { return t.loop }

// ConnectionState describes the TLS connection. Its HandshakeComplete is false without
// TLS.
func (t *Transport) ConnectionState() tls.ConnectionState {
	t.held("ConnectionState")
	if t.tls == nil || t.tls.State() == nil {
		return tls.ConnectionState{}
	}
	return *t.tls.State()
}

// Protocol returns the protocol.
func (t *Transport) Protocol() Base { return t.protocol }

// SetProtocol has p take the place of the protocol. What comes from now on is for p,
// ConnectionLost included; ConnectionMade is not called. If writing is paused, p has to
// find that out by WritePaused.
func (t *Transport) SetProtocol(p Base) {
	t.held("SetProtocol")
	m := modeOf(p)
	t.protocol, t.mode = p, m
	t.own, t.asking = false, false // memory of the protocol before
}

// IsClosing reports whether Close or Abort was called, or the connection has ended.
func (t *Transport) IsClosing() bool {
	t.held("IsClosing")
	return t.closing
}

func (t *Transport) held(call string) {
	if !t.loop.Driver().Holder().Held() { // else the name would be an allocation
		mustHold(t.loop, "Transport."+call, t)
	}
}

// opError dresses an error of the world.
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

// queue has Run called in the next turn.
func (t *Transport) queue() {
	if !t.queued && !t.lost {
		t.queued = true
		t.loop.Driver().Ready(loop.Entry{Runner: t})
	}
}

// Run calls the protocol. It is the loop's to call.
func (t *Transport) Run() {
	t.queued = false
	switch {
	case t.lost:
		return
	case !t.made:
		t.made = true
		t.guard("ConnectionMade", func() { t.protocol.ConnectionMade(t) })
		t.news.begun(t.err)
		t.queue() // so that Connect returns before the first byte
	default:
		t.balance()
		t.receive()
	}
	// A call that has closed t has queued it: ConnectionLost comes in a later turn.
	if t.closed && !t.queued && !t.flying && !t.out.isFlying() && t.work == nil && !t.suspended {
		t.end()
	}
}

// end is the end of the transport.
func (t *Transport) end() {
	t.drop()
	t.lost = true
	defer func() { // also in a Goexit
		t.group.remove(t)
		t.server.forget()
		t.news.tell()
	}()
	t.guard("ConnectionLost", func() { t.protocol.ConnectionLost(t.err) })
}

// guard calls a method of the protocol. If that panics or ends its goroutine, the
// connection ends.
func (t *Transport) guard(method string, call func()) {
	returned := false
	defer func() {
		if !returned {
			t.broken(method, recover())
		}
	}()
	call()
	returned = true
}

// broken ends the connection for v, with which a method has panicked. A nil v is a
// Goexit, which goes on.
func (t *Transport) broken(method string, v any) { t.abort(panicked(t.loop, method, t, v)) }

// panicked reports v, with which a method of a protocol has panicked, and returns it as
// an error. A nil v is a Goexit.
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

// news is where tasks wait for a change of a transport. It is made when the first one
// waits.
type news struct {
	queue task.WaitQueue
	made  error // what has ended the transport in ConnectionMade, or before it
}

func (n *news) tell() {
	if n != nil {
		n.queue.WakeAll()
	}
}

// begun tells the task that waits for ConnectionMade.
func (n *news) begun(err error) {
	if n != nil {
		n.made = err
		n.tell()
	}
}

// wait waits for a change.
func (t *Transport) wait(ctx context.Context) error {
	if t.news == nil {
		t.news = new(news)
	}
	return t.news.queue.Wait(ctx, t)
}

// Reason and Owners are for reports.
func (t *Transport) Reason() string { return "the transport " + t.String() }

// Owners returns nil: no task of this loop.
func (t *Transport) Owners() []*task.Ref { return nil }

// errEmptyBuffer is the failure of a BufferedProtocol.
var errEmptyBuffer = errors.New("protocol: GetBuffer has returned an empty buffer")
