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
	defaultHigh = 64 << 10 // of the write buffer, in bytes; asyncio's
	pieceBytes  = 256 << 10
	keptBytes   = 64 << 10 // the largest buffer that an outbox keeps in the pool
)

// Write sends p, and never waits: what the kernel does not take at once is copied and
// sent later. It returns len(p), or sends nothing and returns an error: net.ErrClosed
// after Close or the end of the connection, EPIPE after CloseWrite.
//
// Write does not bound what waits to be sent. A protocol does that as a [FlowController],
// and a task by Drain.
func (t *Transport) Write(p []byte) (int, error) {
	return t.send("Write", p)
}

// WriteBuffers is one Write of several buffers.
func (t *Transport) WriteBuffers(bufs ...[]byte) (int, error) {
	return t.send("WriteBuffers", bufs...)
}

func (t *Transport) send(call string, bufs ...[]byte) (n int, err error) {
	t.held(call)
	switch {
	case t.closing:
		return 0, t.opError("write", net.ErrClosed)
	case t.writeEnd:
		return 0, t.opError("write", os.NewSyscallError("write", syscall.EPIPE))
	case t.suspended:
		misuse("Transport.%s of %v during its StartTLS or Detach", call, t)
	}
	for _, p := range bufs {
		n += len(p)
		if t.tls == nil {
			t.push(p)
		} else if _, err := t.tls.Write(p); err != nil {
			return 0, t.opError("write", err)
		}
	}
	t.out.kick()
	if t.loop.Driver().InCallback() {
		t.balance()
	} else if t.unbalanced() {
		t.queue()
	}
	return n, nil
}

// CloseWrite ends this direction when everything is sent: the peer reads to the end of
// what was written, and then the end of the stream. Over TLS it sends the close_notify
// alert. Reading goes on. A second CloseWrite does nothing. PEP 3156's write_eof.
func (t *Transport) CloseWrite() {
	t.held("CloseWrite")
	switch {
	case t.closing || t.writeEnd:
		return
	case t.suspended:
		misuse("Transport.CloseWrite of %v during its StartTLS or Detach", t)
	}
	t.writeEnd = true
	if t.tls != nil {
		t.tls.CloseWrite()
		t.out.kick()
	} else if t.out == nil {
		t.endWrite()
	}
}

// endWrite ends the direction of the handle. Over TLS the alert does it.
func (t *Transport) endWrite() {
	if t.tls == nil {
		_ = t.handle.CloseWrite() // it fails if the peer has gone, which reading tells
	}
}

// WriteBufferSize returns how many bytes wait to be sent. Over TLS they are bytes of
// records.
func (t *Transport) WriteBufferSize() int {
	t.held("WriteBufferSize")
	return t.out.size()
}

// WriteBufferLimits returns the limits of the flow control.
func (t *Transport) WriteBufferLimits() (high, low int) { return t.high, t.low }

// SetWriteBufferLimits sets the limits of the flow control, in bytes: PauseWriting is
// called above high, and ResumeWriting at low. Zero is the default: 64 KiB for high,
// and a quarter of high for low. A negative high is no byte at all: writing is paused
// whenever something waits. A low above high is misuse and panics.
func (t *Transport) SetWriteBufferLimits(high, low int) {
	t.held("SetWriteBufferLimits")
	t.setLimits(high, low)
	if t.loop.Driver().InCallback() {
		t.balance()
	} else {
		t.queue()
	}
}

func (t *Transport) setLimits(high, low int) { t.high, t.low = limits(high, low) }

// limits returns the limits that SetWriteBufferLimits means.
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
		misuse("write buffer limits of %d and %d; the low one must not be above the high one", high, low)
	}
	return high, low
}

// WritePaused reports whether PauseWriting was the last of the two calls.
func (t *Transport) WritePaused() bool {
	t.held("WritePaused")
	return t.crowded
}

// unbalanced reports whether PauseWriting or ResumeWriting is due.
func (t *Transport) unbalanced() bool {
	size := t.out.size()
	return !t.crowded && size > t.high || t.crowded && size <= t.low
}

// balance calls PauseWriting or ResumeWriting if it is due, but not while the protocol
// must not write. It is called on the loop's goroutine.
func (t *Transport) balance() {
	if t.closing || !t.made || t.suspended || !t.unbalanced() {
		return
	}
	t.crowded = !t.crowded
	t.news.tell()
	p, ok := t.protocol.(FlowController)
	switch {
	case !ok:
	case t.crowded:
		t.guard("PauseWriting", p.PauseWriting)
	default:
		t.guard("ResumeWriting", p.ResumeWriting)
	}
}

// An outbox is what a transport has to send. A transport has one only while that is
// something.
type outbox struct {
	transport *Transport
	op        poll.Op
	buf       []byte // buf[start:] is being sent
	start     int
	next      []byte // comes after it
	flying    bool   // op is in flight
	timer     loop.Timer
}

// outboxes keep the memory for those that are needed next.
var outboxes = sync.Pool{New: func() any { return new(outbox) }}

// push appends a copy of p to what is to be sent; kick sends it.
func (t *Transport) push(p []byte) {
	if len(p) == 0 || t.closed {
		return
	}
	o := t.out
	if o == nil {
		o = outboxes.Get().(*outbox)
		o.transport, t.out = t, o
		o.op = poll.Op{Kind: poll.Write, Handle: t.handle, Owner: o}
	}
	if o.flying {
		o.next = append(o.next, p...)
	} else {
		o.buf = append(o.buf, p...)
	}
}

// size is how many bytes are to be sent.
func (o *outbox) size() int {
	if o == nil {
		return 0
	}
	return len(o.buf) - o.start + len(o.next)
}

func (o *outbox) isFlying() bool { return o != nil && o.flying }

// kick sends what there is, unless the operation is in flight. It does not wait.
func (o *outbox) kick() {
	for o != nil && !o.flying && o.size() > 0 {
		if o.start == len(o.buf) {
			o.buf, o.next, o.start = o.next, o.buf[:0], 0
		}
		o.op.Buf = o.buf[o.start:min(o.start+pieceBytes, len(o.buf))]
		if !o.transport.loop.Driver().Submit(&o.op) {
			o.flying = true
			return
		}
		if !o.took() {
			return
		}
	}
}

// took takes the result of the operation. It reports whether there is more to send.
func (o *outbox) took() bool {
	t := o.transport
	o.op.Buf = nil
	o.start += o.op.N
	failed := o.op.Err != nil && !t.closed
	if failed && t.err == nil && !t.bye {
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

// release is the end of an outbox: everything is sent, or dropped.
func (o *outbox) release() {
	t := o.transport
	t.loop.Driver().StopTimer(&o.timer)
	t.out, t.answers = nil, 0
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
		t.shut(poll.Handle.Close)
	case t.writeEnd && !t.closing:
		t.endWrite()
	}
}

// Complete goes on sending. It is the loop's to call.
func (o *outbox) Complete(*poll.Op) {
	t := o.transport
	o.flying = false
	if o.took() {
		o.kick()
	}
	t.news.tell() // Drain and settle
	if t.closed || t.unbalanced() {
		t.queue()
	}
}

// Wake gives up what is not sent: Close has waited for as long as it may. It is the
// loop's to call.
func (o *outbox) Wake() {
	t := o.transport
	if t.err == nil && !t.bye {
		t.err = t.opError("close", os.ErrDeadlineExceeded)
	}
	t.shut(poll.Handle.Abort)
}
