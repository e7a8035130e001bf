// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"baton/loop/poll"
	"baton/netio/internal/record"
	"baton/task"
)

const (
	// readBytes is the size of a read buffer, if neither the poller nor the protocol provides one.
	readBytes = 16 << 10

	// recordBytes is the most that one TLS record holds, in bytes (RFC 8446, section 5.1).
	recordBytes = 16 << 10

	// maxTLSAnswers limits what TLS writes by itself while it reads, in bytes: answers to key
	// updates. A peer that does not read them may be trying to exhaust the memory.
	maxTLSAnswers = 64 << 10
)

var errKeyUpdates = errors.New("tls: the peer asks for key updates and does not read the answers")

// records is the pool of buffers for decrypted records.
var records = sync.Pool{New: func() any { return new([recordBytes]byte) }}

// PauseReading pauses the calls that pass bytes to the protocol, and EOFReceived, until
// ResumeReading. A read that has begun still completes; the transport keeps its bytes. A second
// PauseReading does nothing.
func (t *Transport) PauseReading() {
	t.checkHeld("PauseReading")
	t.readPaused = true
}

// ResumeReading ends PauseReading. In the next turn, the protocol receives the bytes that were
// kept.
func (t *Transport) ResumeReading() {
	t.checkHeld("ResumeReading")
	t.readPaused = false
	t.queue()
}

// IsReading reports whether the transport passes bytes to the protocol: reading is not paused and
// has not ended.
func (t *Transport) IsReading() bool {
	t.checkHeld("IsReading")
	return !t.readPaused && !t.closing && !t.eof
}

// Complete takes the result of a read. Only the loop may call it.
func (t *Transport) Complete(*poll.Op) {
	t.inFlight = false
	t.takeRead()
	t.queue()
	if t.suspended {
		t.waiters.wake()
	}
}

// receive makes one call to the protocol if there are bytes, and reads on. Run calls it.
func (t *Transport) receive() {
	if t.isBlocked() {
		return
	}
	switch {
	case t.tls != nil:
		t.decrypt()
	case len(t.data) > 0:
		t.deliver()
	case t.readErr != nil:
		t.finish(t.readErr)
	}
	t.read()
}

// isBlocked reports whether the protocol must not receive anything now. If the transport is
// closing, it also releases the memory of the last read.
func (t *Transport) isBlocked() bool {
	if t.closing {
		t.drop()
	}
	return t.closing || t.readPaused || t.suspended || t.receiveTask != nil || t.inFlight || t.eof
}

// read starts the next read if the protocol may receive more. Run calls it.
func (t *Transport) read() {
	if t.isBlocked() {
		return
	}
	if len(t.data) > 0 || t.readErr != nil || t.moreRecords {
		t.queue() // one call to the protocol per turn
		return
	}
	t.drop()
	if !t.prepare() {
		return
	}
	t.inFlight = !t.loop.Driver().Submit(&t.op)
	if !t.inFlight {
		t.takeRead()
		t.queue()
	}
}

// prepare gets memory for a read. It returns false if the protocol provides none.
func (t *Transport) prepare() bool {
	switch {
	case t.mode == buffered && t.tls == nil:
		t.op.Buf = t.buffer(0)
		t.protocolBuf = true
		return t.op.Buf != nil
	case t.loop.Poller().Caps().Has(poll.Provided):
		t.providedBuf = true
	default:
		t.op.Buf = make([]byte, readBytes)
	}
	return true
}

// takeRead takes the result of a read.
func (t *Transport) takeRead() {
	t.data, t.readErr = t.op.Buf[:t.op.N], t.op.Err
	if t.readErr == poll.ErrCanceled { // by waitQuiet
		t.readErr = nil
	}
}

// drop releases the memory of a read, unless the read or Receive still uses it.
func (t *Transport) drop() {
	if t.inFlight || t.receiveTask != nil {
		return
	}
	t.data = nil
	if t.providedBuf && t.op.Buf != nil {
		t.loop.Poller().Recycle(t.op.Buf)
	}
	t.op.Buf, t.protocolBuf, t.providedBuf = nil, false, false
}

// deliver passes t.data to the protocol. The data may already be in memory of a BufferedProtocol;
// otherwise deliver copies as much as fits.
func (t *Transport) deliver() {
	switch {
	case t.mode == inTask:
		data := t.data
		t.data = nil
		t.startReceive(data, nil)
	case t.mode == buffered && t.protocolBuf:
		n := len(t.data)
		t.data = nil
		t.updated(n)
	case t.mode == buffered:
		if buf := t.buffer(len(t.data)); buf != nil {
			n := copy(buf, t.data)
			t.data = t.data[n:]
			t.updated(n)
		}
	default:
		data := t.data
		t.data = nil
		t.received(data)
	}
}

// decrypt passes the bytes of one record to the protocol.
func (t *Transport) decrypt() {
	if t.mode == buffered {
		if buf := t.buffer(recordBytes); buf != nil {
			if n := t.decryptInto(buf); n > 0 {
				t.updated(n)
			}
		}
		return
	}
	buf := records.Get().(*[recordBytes]byte)
	n := t.decryptInto(buf[:])
	switch {
	case n > 0 && t.mode == inTask:
		t.startReceive(buf[:n], buf)
		return
	case n > 0:
		t.received(buf[:n])
	}
	records.Put(buf)
}

// decryptInto decrypts one record into buf. It returns 0 if no record is complete, or if it has
// ended the transport.
func (t *Transport) decryptInto(buf []byte) int {
	t.inTLSRead = true
	n, err := t.tls.Read(buf)
	t.inTLSRead, t.moreRecords = false, n > 0
	t.out.flush() // alerts, and answers to key updates
	switch {
	case t.closing: // the alerts or answers could not be sent
	case n > 0:
		return n
	case t.tlsReplies > maxTLSAnswers:
		t.abort(t.opError("read", errKeyUpdates))
	case err == io.EOF && t.settings.tls.Strict && t.tls.End() != nil:
		t.abort(t.opError("read", io.ErrUnexpectedEOF))
	case err != nil && err != record.ErrNone:
		t.finish(err)
	}
	return 0
}

// finish handles the end of the stream, or the error of a read.
func (t *Transport) finish(err error) {
	if err != io.EOF {
		t.abort(t.opError("read", err))
		return
	}
	t.eof = true
	t.drop()
	open := false
	if p, ok := t.protocol.(EOFReceiver); ok {
		t.callMethod("EOFReceived", func() { open = p.EOFReceived() })
	}
	if !open {
		t.close()
	}
}

func (t *Transport) received(data []byte) {
	t.callMethod("DataReceived", func() { t.protocol.(Protocol).DataReceived(data) })
}

func (t *Transport) updated(n int) {
	t.callMethod("BufferUpdated", func() { t.protocol.(BufferedProtocol).BufferUpdated(n) })
}

// buffer returns memory from GetBuffer. It returns nil if GetBuffer has failed, has closed or
// paused the transport, or has replaced the protocol.
func (t *Transport) buffer(hint int) []byte {
	var buf []byte
	t.inGetBuffer = true
	t.callMethod("GetBuffer", func() { buf = t.protocol.(BufferedProtocol).GetBuffer(hint) })
	replaced := !t.inGetBuffer
	t.inGetBuffer = false
	switch {
	case t.closing || t.readPaused:
	case replaced:
		t.queue()
	case len(buf) == 0:
		t.abort(errEmptyBuffer)
	default:
		return buf
	}
	return nil
}

// startReceive starts a task that calls Receive with data. If buf is not nil, it is the memory of
// data, from the pool of records.
func (t *Transport) startReceive(data []byte, buf *[recordBytes]byte) {
	t.receiveBegun = false
	t.receiveTask = t.group.scope.Go(func(ctx context.Context) error {
		var err error
		returned := false
		defer func() {
			t.receiveTask = nil
			if buf != nil {
				records.Put(buf)
			}
			switch {
			case !returned:
				t.methodFailed("Receive", recover())
			case err == nil:
			case !t.closing:
				t.abort(err)
			case t.err == nil && !errors.Is(err, net.ErrClosed):
				t.err = err // Close goes on sending, so no abort
			}
			t.queue()
			if t.suspended {
				t.waiters.wake()
			}
		}()
		switch {
		case t.closing:
		case t.readPaused || t.suspended || t.mode != inTask: // changed since the start
			t.unread(data)
		default:
			t.receiveBegun = true
			err = t.protocol.(Receiver).Receive(ctx, data)
		}
		returned = true
		return nil
	})
}

// unread takes back data that the protocol did not receive.
func (t *Transport) unread(data []byte) {
	if t.tls != nil {
		t.tls.Unread(bytes.Clone(data))
	} else {
		t.data = data
	}
}

// stopReceive cancels the task of Receive.
func (t *Transport) stopReceive() {
	if t.receiveTask == nil {
		return
	}
	cause := t.err
	if cause == nil {
		cause = net.ErrClosed
	}
	t.receiveTask.Cancel(cause)
}

// A wire moves the TLS records of a Transport. It is the record.Wire of t.tls.
type wire Transport

// ReadRecords returns the bytes that the last read has received.
func (w *wire) ReadRecords(p []byte) (int, error) {
	switch {
	case len(w.data) > 0:
		n := copy(p, w.data)
		w.data = w.data[n:]
		return n, nil
	case w.readErr != nil:
		return 0, w.readErr
	}
	return 0, record.ErrNone
}

// WriteRecords appends records to the bytes to send.
func (w *wire) WriteRecords(p []byte) {
	t := (*Transport)(w)
	if t.inTLSRead {
		t.tlsReplies += len(p)
	}
	t.enqueue(p)
}

// LocalAddr and RemoteAddr are for the callbacks of a tls.Config.
func (w *wire) LocalAddr() net.Addr  { return w.local }
func (w *wire) RemoteAddr() net.Addr { return w.remote }

var _ task.Reason = (*Transport)(nil)
