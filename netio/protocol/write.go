// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"net"
	"os"
	"sync"
	"syscall"

	"baton/loop"
	"baton/loop/poll"
)

const (
	defaultHigh = 64 << 10  // the default high limit, in bytes, as in asyncio
	pieceBytes  = 256 << 10 // the most that one operation sends
	keptBytes   = 64 << 10  // the largest buffer that an outbox keeps in the pool
)

// Write sends p, and never waits. The transport copies the bytes that the kernel does not accept at
// once, and sends them later. Write returns len(p), or sends nothing and returns an error:
// net.ErrClosed after Close or the end of the connection, EPIPE after CloseWrite.
//
// Write does not limit the number of bytes that wait to be sent. To limit it, a protocol implements
// [FlowController], or a task calls Drain.
func (t *Transport) Write(p []byte) (int, error) {
	return t.send("Write", p)
}

// WriteBuffers is like one Write of all bufs.
func (t *Transport) WriteBuffers(bufs ...[]byte) (int, error) {
	return t.send("WriteBuffers", bufs...)
}

func (t *Transport) send(call string, bufs ...[]byte) (n int, err error) {
	t.checkHeld(call)
	switch {
	case t.closing:
		return 0, t.opError("write", net.ErrClosed)
	case t.writeClosed:
		return 0, t.opError("write", os.NewSyscallError("write", syscall.EPIPE))
	case t.suspended:
		misuse("Transport.%s of %v during its StartTLS or Detach; wait until that has returned", call, t)
	}
	for _, p := range bufs {
		n += len(p)
		if t.tls == nil {
			t.enqueue(p)
		} else if _, err := t.tls.Write(p); err != nil {
			return 0, t.opError("write", err)
		}
	}
	t.out.flush()
	if t.loop.Driver().InCallback() {
		t.callFlowControl()
	} else if t.flowControlDue() {
		t.queue()
	}
	return n, nil
}

// CloseWrite ends the writing direction after everything that was written is sent. The peer then
// reads the end of the stream. Over TLS, CloseWrite sends the close_notify alert. Reading goes on.
// A second CloseWrite does nothing. In PEP 3156 it is write_eof.
func (t *Transport) CloseWrite() {
	t.checkHeld("CloseWrite")
	switch {
	case t.closing || t.writeClosed:
		return
	case t.suspended:
		misuse("Transport.CloseWrite of %v during its StartTLS or Detach; wait until that has returned", t)
	}
	t.writeClosed = true
	if t.tls != nil {
		t.tls.CloseWrite()
		t.out.flush()
	} else if t.out == nil {
		t.endWrite()
	}
}

// endWrite ends the writing direction of the handle. Over TLS the alert does that.
func (t *Transport) endWrite() {
	if t.tls == nil {
		_ = t.handle.CloseWrite() // it fails if the peer has disconnected; the read reports that
	}
}

// WriteBufferSize returns how many bytes wait to be sent. Over TLS it counts encrypted bytes.
func (t *Transport) WriteBufferSize() int {
	t.checkHeld("WriteBufferSize")
	return t.out.size()
}

// WriteBufferLimits returns the limits of flow control, in bytes.
func (t *Transport) WriteBufferLimits() (high, low int) { return t.high, t.low }

// SetWriteBufferLimits sets the limits of flow control, in bytes. The transport calls PauseWriting
// when more than high bytes wait, and ResumeWriting when at most low bytes wait. Zero means the
// default: 64 KiB for high, and a quarter of high for low. A negative high means 0: writing is
// paused while any byte waits. A low above high is misuse and panics.
func (t *Transport) SetWriteBufferLimits(high, low int) {
	t.checkHeld("SetWriteBufferLimits")
	t.setLimits(high, low)
	if t.loop.Driver().InCallback() {
		t.callFlowControl()
	} else {
		t.queue()
	}
}

func (t *Transport) setLimits(high, low int) { t.high, t.low = limits(high, low) }

// limits applies the defaults of SetWriteBufferLimits.
func limits(high, low int) (int, int) {
	switch {
	case high == 0 && low > 0:
		high = max(defaultHigh, 4*low)
	case high == 0:
		high = defaultHigh
	case high < 0:
		high = 0
	}
	if low == 0 {
		low = high / 4
	}
	if low < 0 {
		low = 0
	}
	if low > high {
		misuse("write buffer limits: high is %d and low is %d; low must not be above high", high, low)
	}
	return high, low
}

// WritePaused reports whether writing is paused: between PauseWriting and ResumeWriting.
func (t *Transport) WritePaused() bool {
	t.checkHeld("WritePaused")
	return t.writePaused
}

// flowControlDue reports whether PauseWriting or ResumeWriting is due.
func (t *Transport) flowControlDue() bool {
	size := t.out.size()
	return !t.writePaused && size > t.high || t.writePaused && size <= t.low
}

// callFlowControl calls PauseWriting or ResumeWriting if it is due, except while the protocol must
// not write. It must be called in a callback.
func (t *Transport) callFlowControl() {
	if t.closing || !t.made || t.suspended || !t.flowControlDue() {
		return
	}
	t.writePaused = !t.writePaused
	t.waiters.wake()
	p, ok := t.protocol.(FlowController)
	switch {
	case !ok:
	case t.writePaused:
		t.callMethod("PauseWriting", p.PauseWriting)
	default:
		t.callMethod("ResumeWriting", p.ResumeWriting)
	}
}

// An outbox holds the bytes that a transport has to send. A transport has an outbox only while
// there are such bytes.
type outbox struct {
	transport *Transport
	op        poll.Op
	buf       []byte // buf[start:] is being sent
	start     int
	next      []byte // to be sent after buf
	inFlight  bool   // op is in flight
	timer     loop.Timer
}

// outboxes is the pool of outboxes, with their memory.
var outboxes = sync.Pool{New: func() any { return new(outbox) }}

// enqueue appends a copy of p to the bytes to send; flush sends them.
func (t *Transport) enqueue(p []byte) {
	if len(p) == 0 || t.closed {
		return
	}
	o := t.out
	if o == nil {
		o = outboxes.Get().(*outbox)
		o.transport, t.out = t, o
		o.op = poll.Op{Kind: poll.Write, Handle: t.handle, Owner: o}
	}
	if o.inFlight {
		o.next = append(o.next, p...)
	} else {
		o.buf = append(o.buf, p...)
	}
}

// size returns how many bytes wait to be sent.
func (o *outbox) size() int {
	if o == nil {
		return 0
	}
	return len(o.buf) - o.start + len(o.next)
}

func (o *outbox) isInFlight() bool { return o != nil && o.inFlight }

// flush sends what waits, unless the operation is in flight. It does not wait.
func (o *outbox) flush() {
	for o != nil && !o.inFlight && o.size() > 0 {
		if o.start == len(o.buf) {
			o.buf, o.next, o.start = o.next, o.buf[:0], 0
		}
		o.op.Buf = o.buf[o.start:min(o.start+pieceBytes, len(o.buf))]
		if !o.transport.loop.Driver().Submit(&o.op) {
			o.inFlight = true
			return
		}
		if !o.takeResult() {
			return
		}
	}
}

// takeResult takes the result of the operation. It reports whether there is more to send.
func (o *outbox) takeResult() bool {
	t := o.transport
	o.op.Buf = nil
	o.start += o.op.N
	failed := o.op.Err != nil && !t.closed
	if failed && t.err == nil && !t.alertOnly {
		t.err = t.opError("write", o.op.Err)
	}
	if failed || t.closed {
		o.start, o.buf, o.next = 0, o.buf[:0], o.next[:0]
	}
	if o.size() > 0 {
		return true
	}
	o.release()
	if failed {
		t.abort(nil)
	}
	return false
}

// release returns the outbox to the pool. Everything was sent or dropped.
func (o *outbox) release() {
	t := o.transport
	t.loop.Driver().StopTimer(&o.timer)
	t.out, t.tlsReplies = nil, 0
	if cap(o.buf) > keptBytes {
		o.buf = nil
	}
	if cap(o.next) > keptBytes {
		o.next = nil
	}
	*o = outbox{buf: o.buf[:0], next: o.next[:0]}
	outboxes.Put(o)
	switch {
	case t.closing && !t.closed:
		t.closeHandle(poll.Handle.Close)
	case t.writeClosed && !t.closing:
		t.endWrite()
	}
}

// Complete takes the result of the operation, and sends on. Only the loop may call it.
func (o *outbox) Complete(*poll.Op) {
	t := o.transport
	o.inFlight = false
	if o.takeResult() {
		o.flush()
	}
	t.waiters.wake() // Drain and waitQuiet
	if t.closed || t.flowControlDue() {
		t.queue()
	}
}

// Wake drops what is not sent, because CloseTimeout has passed. Only the loop may call it.
func (o *outbox) Wake() {
	t := o.transport
	if t.err == nil && !t.alertOnly {
		t.err = t.opError("close", os.ErrDeadlineExceeded)
	}
	t.closeHandle(poll.Handle.Abort)
}
