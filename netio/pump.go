// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"os"

	"baton/internal/saturate"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// fullRecords is how many bytes of records a Write collects before it waits until they are
// sent. The records of one more piece may not fit into the buffer.
const fullRecords = bulkSpace - pieceSpace

// A pump sends the records of a stream with TLS, through the stream's write operation and
// without a task. So it also sends records without a Write, such as alerts.
type pump struct {
	stream   *Stream
	buf      []byte // buf[start:] must be sent
	start    int
	inFlight bool  // the operation is in flight
	waiting  bool  // the user of s.out waits in drain
	err      error // what ended the direction

	closing bool // the handle must be closed when everything is sent
	timer   loop.Timer
}

// newPump takes over the write operation of s. The caller is its user.
func newPump(s *Stream) *pump {
	p := &pump{stream: s}
	p.timer.Target = (*pumpTimer)(p)
	s.out.op.Owner = p
	return p
}

// len returns how many bytes must still be sent.
func (p *pump) len() int { return len(p.buf) - p.start }

// add appends records; kick sends them. The operation in flight does not include them.
func (p *pump) add(b []byte) {
	if p.err != nil {
		return
	}
	if n := len(p.buf) + len(b); n > cap(p.buf) && n <= bulkSpace {
		if n > firstSize {
			n = bulkSpace // a long Write comes piece by piece
		}
		larger := append(buffers.lend(n)[:0], p.buf...)
		if !p.inFlight {
			buffers.Recycle(p.buf)
		}
		p.buf = larger
	}
	p.buf = append(p.buf, b...)
}

// kick starts to send, unless the operation is already in flight. It does not wait.
func (p *pump) kick() {
	op := &p.stream.out.op
	for !p.inFlight && p.len() > 0 {
		op.Buf = p.buf[p.start:]
		if !p.stream.loop.Driver().Submit(op) {
			p.inFlight = true
			return
		}
		p.finish(op)
	}
}

// finish takes the result of the operation. A cancel ends only the wait of a Write; its
// records are still sent.
func (p *pump) finish(op *poll.Op) {
	s := p.stream
	op.Buf = nil
	p.start += op.N
	if op.N > 0 && s.out.limited {
		s.active = s.loop.Time()
	}
	if op.Err != nil && op.Err != poll.ErrCanceled {
		p.err = s.opError("write", op.Err)
		if !s.closed && isLost(p.err) {
			s.out.failed = p.err
		}
		p.buf, p.start = nil, 0
	}
	if p.len() == 0 {
		p.buf, p.start = p.buf[:0], 0
		if s.out.user == nil {
			p.shrink()
		}
	}
}

// shrink returns the buffer to the pool, if it is empty. A Write keeps the buffer until it
// ends.
func (p *pump) shrink() {
	if p.len() == 0 {
		buffers.Recycle(p.buf)
		p.buf = nil
	}
}

// Complete sends the rest. Only the loop calls it.
func (p *pump) Complete(op *poll.Op) {
	p.inFlight = false
	p.finish(op)
	p.kick()
	p.wakeDrain()
	if p.closing && !p.inFlight {
		p.stream.loop.Driver().StopTimer(&p.timer)
		_ = p.stream.handle.Close() // the stream has already returned its own error
	}
}

// wakeDrain wakes the task in drain, if there is one.
func (p *pump) wakeDrain() {
	if p.waiting {
		p.waiting = false
		p.stream.out.user.Wake()
	}
}

// drain waits until everything is sent. The user of s.out calls it. After a cancel or a
// timeout the pump still sends the rest. drain may switch.
func (p *pump) drain(ctx context.Context) error {
	s, d := p.stream, &p.stream.out
	p.kick()
	for waited := false; ; waited = true {
		switch {
		case s.closed:
			return s.opError("write", net.ErrClosed)
		case p.err != nil:
			return p.err
		case !p.inFlight:
			return nil
		case waited && d.late:
			return s.opError("write", os.ErrDeadlineExceeded)
		case waited:
			if err := task.Check(ctx); err != nil {
				return err
			}
		}
		p.waiting = true
		d.startWait()
		park(ctx, d)
		d.endWait()
	}
}

// close closes the handle when everything is sent, or when the ShutdownTimeout has passed.
// A waiting Read ends with its operation, and a waiting Write ends at once.
func (p *pump) close() error {
	s := p.stream
	p.kick()
	if !p.inFlight {
		return s.handle.Close()
	}
	p.closing = true
	p.wakeDrain()
	s.loop.Poller().Cancel(&s.in.op)
	if d := orDefault(s.tlsOptions.ShutdownTimeout, defaultShutdownTimeout); d > 0 {
		s.loop.Driver().StartTimer(&p.timer, saturate.Add(s.loop.Time(), d))
	}
	return nil
}

// pumpTimer is a pump as the target of its timer.
type pumpTimer pump

// Wake drops what is not sent. Only the loop calls it.
func (t *pumpTimer) Wake() { _ = t.stream.handle.Abort() }
