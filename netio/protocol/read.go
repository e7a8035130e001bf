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
	// readBytes is the memory of a read, if neither the poller nor the protocol brings it.
	readBytes = 16 << 10

	// recordBytes is the most that one TLS record holds (RFC 8446, section 5.1).
	recordBytes = 16 << 10

	// maxAnswers bounds what TLS writes by itself while it reads, in bytes: answers to key
	// updates. A peer that does not read them wants this end to run out of memory.
	maxAnswers = 64 << 10
)

var errAnswers = errors.New("tls: peer asks for key updates and does not read the answers")

// records are buffers for what TLS has decrypted.
var records = sync.Pool{New: func() any { return new([recordBytes]byte) }}

// PauseReading stops the calls that give bytes to the protocol, and EOFReceived, until
// ResumeReading. The transport reads at most once more meanwhile, and keeps that. A
// second PauseReading does nothing.
func (t *Transport) PauseReading() {
	t.held("PauseReading")
	t.deaf = true
}

// ResumeReading ends PauseReading. What was kept is given to the protocol in the next
// turn.
func (t *Transport) ResumeReading() {
	t.held("ResumeReading")
	t.deaf = false
	t.queue()
}

// IsReading reports whether bytes that come are given to the protocol: reading is not
// paused and has not ended.
func (t *Transport) IsReading() bool {
	t.held("IsReading")
	return !t.deaf && !t.closing && !t.ended
}

// Complete takes the bytes of a read. It is the loop's to call.
func (t *Transport) Complete(*poll.Op) {
	t.flying = false
	t.arrive()
	t.queue()
	if t.suspended {
		t.news.tell()
	}
}

// receive gives the protocol what has come, once, and reads on. It is called in Run.
func (t *Transport) receive() {
	if t.isDeaf() {
		return
	}
	switch {
	case t.tls != nil:
		t.decrypt()
	case len(t.data) > 0:
		t.give()
	case t.rest != nil:
		t.finish(t.rest)
	}
	t.read()
}

// isDeaf reports whether the protocol may not be given anything now. At the end it gives
// back the memory of the last read.
func (t *Transport) isDeaf() bool {
	if t.closing {
		t.drop()
	}
	return t.closing || t.deaf || t.suspended || t.work != nil || t.flying || t.ended
}

// read reads on, if the protocol may be given more. It is called in Run.
func (t *Transport) read() {
	if t.isDeaf() {
		return
	}
	if len(t.data) > 0 || t.rest != nil || t.more {
		t.queue() // one call in a turn
		return
	}
	t.drop()
	if !t.prepare() {
		return
	}
	t.flying = !t.loop.Driver().Submit(&t.op)
	if !t.flying {
		t.arrive()
		t.queue()
	}
}

// prepare finds memory for a read. It reports false if the protocol has none.
func (t *Transport) prepare() bool {
	switch {
	case t.mode == buffered && t.tls == nil:
		t.op.Buf = t.buffer(0)
		t.own = true
		return t.op.Buf != nil
	case t.loop.Poller().Caps().Has(poll.Provided):
		t.lent = true
	default:
		t.op.Buf = make([]byte, readBytes)
	}
	return true
}

// arrive takes the result of a read.
func (t *Transport) arrive() {
	t.data, t.rest = t.op.Buf[:t.op.N], t.op.Err
	if t.rest == poll.ErrCanceled { // by settle
		t.rest = nil
	}
}

// drop gives back the memory of a read, unless the read or Receive uses it.
func (t *Transport) drop() {
	if t.flying || t.work != nil {
		return
	}
	t.data = nil
	if t.lent && t.op.Buf != nil {
		t.loop.Poller().Recycle(t.op.Buf)
	}
	t.op.Buf, t.own, t.lent = nil, false, false
}

// give gives t.data to the protocol. A protocol that brings its memory has it already,
// or gets as much as fits.
func (t *Transport) give() {
	switch {
	case t.mode == inTask:
		data := t.data
		t.data = nil
		t.start(data, nil)
	case t.mode == buffered && t.own:
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

// decrypt gives the protocol the bytes of one record.
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
		t.start(buf[:n], buf)
		return
	case n > 0:
		t.received(buf[:n])
	}
	records.Put(buf)
}

// decryptInto puts the bytes of one record into buf. It returns 0 if there is no
// complete one, or when it has ended the transport.
func (t *Transport) decryptInto(buf []byte) int {
	t.inTLS = true
	n, err := t.tls.Read(buf)
	t.inTLS, t.more = false, n > 0
	t.out.kick() // alerts, and answers to key updates
	switch {
	case t.closing: // the alerts or answers could not be sent
	case n > 0:
		return n
	case t.answers > maxAnswers:
		t.abort(t.opError("read", errAnswers))
	case err == io.EOF && t.choices.tls.Strict && t.tls.End() != nil:
		t.abort(t.opError("read", io.ErrUnexpectedEOF))
	case err != nil && err != record.ErrNone:
		t.finish(err)
	}
	return 0
}

// finish takes the end of the stream, or the error of a read.
func (t *Transport) finish(err error) {
	if err != io.EOF {
		t.abort(t.opError("read", err))
		return
	}
	t.ended = true
	t.drop()
	open := false
	if p, ok := t.protocol.(EOFReceiver); ok {
		t.guard("EOFReceived", func() { open = p.EOFReceived() })
	}
	if !open {
		t.close()
	}
}

func (t *Transport) received(data []byte) {
	t.guard("DataReceived", func() { t.protocol.(Protocol).DataReceived(data) })
}

func (t *Transport) updated(n int) {
	t.guard("BufferUpdated", func() { t.protocol.(BufferedProtocol).BufferUpdated(n) })
}

// buffer returns memory of the protocol. It returns nil if that has failed, or if
// GetBuffer has closed or paused the transport, or replaced the protocol.
func (t *Transport) buffer(hint int) []byte {
	var buf []byte
	t.asking = true
	t.guard("GetBuffer", func() { buf = t.protocol.(BufferedProtocol).GetBuffer(hint) })
	replaced := !t.asking
	t.asking = false
	switch {
	case t.closing || t.deaf:
	case replaced:
		t.queue()
	case len(buf) == 0:
		t.abort(errEmptyBuffer)
	default:
		return buf
	}
	return nil
}

// start has a Receiver handle data in a task. Buf is of the pool of records, or nil.
func (t *Transport) start(data []byte, buf *[recordBytes]byte) {
	t.begun = false
	t.work = t.group.scope.Go(func(ctx context.Context) error {
		var err error
		returned := false
		defer func() {
			t.work = nil
			if buf != nil {
				records.Put(buf)
			}
			switch {
			case !returned:
				t.broken("Receive", recover())
			case err == nil:
			case !t.closing:
				t.abort(err)
			case t.err == nil && !errors.Is(err, net.ErrClosed):
				t.err = err // Close goes on sending
			}
			t.queue()
			if t.suspended {
				t.news.tell()
			}
		}()
		switch {
		case t.closing:
		case t.deaf || t.suspended || t.mode != inTask: // since the task was started
			t.unread(data)
		default:
			t.begun = true
			err = t.protocol.(Receiver).Receive(ctx, data)
		}
		returned = true
		return nil
	})
}

// unread takes back data that the protocol was not given.
func (t *Transport) unread(data []byte) {
	if t.tls != nil {
		t.tls.Unread(bytes.Clone(data))
	} else {
		t.data = data
	}
}

// stopWork cancels the task of Receive.
func (t *Transport) stopWork() {
	if t.work == nil {
		return
	}
	cause := t.err
	if cause == nil {
		cause = net.ErrClosed
	}
	t.work.Cancel(cause)
}

// wire is a Transport as what moves the records of its TLS.
type wire Transport

// ReadRecords makes it a record.Wire.
func (w *wire) ReadRecords(p []byte) (int, error) {
	switch {
	case len(w.data) > 0:
		n := copy(p, w.data)
		w.data = w.data[n:]
		return n, nil
	case w.rest != nil:
		return 0, w.rest
	}
	return 0, record.ErrNone
}

// WriteRecords makes it a record.Wire.
func (w *wire) WriteRecords(p []byte) {
	t := (*Transport)(w)
	if t.inTLS {
		t.answers += len(p)
	}
	t.push(p)
}

// LocalAddr and RemoteAddr are for callbacks of a tls.Config.
func (w *wire) LocalAddr() net.Addr  { return w.local }
func (w *wire) RemoteAddr() net.Addr { return w.remote }

var _ task.Reason = (*Transport)(nil)
