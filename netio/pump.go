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

// fullRecords is how many bytes of records a Write collects before it waits until they
// are sent, since those of one more piece may not fit into the buffer.
const fullRecords = bulkSpace - pieceSpace

// A pump sends the records of a stream by the stream's own operation, without a task:
// so records go out that no Write waits for, such as alerts.
type pump struct {
	stream  *Stream
	buf     []byte // buf[start:] is to be sent
	start   int
	flying  bool  // the operation is in flight
	waiting bool  // the user of s.out waits in drain
	err     error // what ended the direction

	closing bool // the handle is to be closed when everything is sent
	timer   loop.Timer
}

// newPump takes over the operation of s that writes. The caller is its user.
func newPump(s *Stream) *pump {
	p := &pump{stream: s}
	p.timer.Target = (*pumpTimer)(p)
	s.out.op.Owner = p
	return p
}

// len is how many bytes are to be sent.
func (p *pump) len() int { return len(p.buf) - p.start }

// add appends records; kick sends them. The operation in flight only knows the bytes
// before them.
func (p *pump) add(b []byte) {
	if p.err != nil {
		return
	}
	if n := len(p.buf) + len(b); n > cap(p.buf) && n <= bulkSpace {
		if n > firstSize {
			n = bulkSpace // a long Write comes piece by piece
		}
		larger := append(buffers.lend(n)[:0], p.buf...)
		if !p.flying {
			buffers.Recycle(p.buf)
		}
		p.buf = larger
	}
	p.buf = append(p.buf, b...)
}

// kick sends what there is, unless the operation is in flight already. It does not
// wait.
func (p *pump) kick() {
	op := &p.stream.out.op
	for !p.flying && p.len() > 0 {
		op.Buf = p.buf[p.start:]
		if !p.stream.loop.Driver().Submit(op) {
			p.flying = true
			return
		}
		p.finish(op)
	}
}

// took takes the result of the operation. A cancel is that of a Write which waits; its
// records go out.
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

// shrink gives the buffer back, if it is empty. A Write keeps one until it ends.
func (p *pump) shrink() {
	if p.len() == 0 {
		buffers.Recycle(p.buf)
		p.buf = nil
	}
}

// Complete goes on sending. It is the loop's to call.
func (p *pump) Complete(op *poll.Op) {
	p.flying = false
	p.finish(op)
	p.kick()
	p.wakeDrain()
	if p.closing && !p.flying {
		p.stream.loop.Driver().StopTimer(&p.timer)
		_ = p.stream.handle.Close() // the stream has reported its own end
	}
}

// rouse wakes the task in drain, if there is one.
func (p *pump) wakeDrain() {
	if p.waiting {
		p.waiting = false
		p.stream.out.user.Wake()
	}
}

// drain waits until everything is sent. The user of s.out calls it. After a cancel or
// a timeout the rest still goes out. It may switch.
func (p *pump) drain(ctx context.Context) error {
	s, d := p.stream, &p.stream.out
	p.kick()
	for waited := false; ; waited = true {
		switch {
		case s.closed:
			return s.opError("write", net.ErrClosed)
		case p.err != nil:
			return p.err
		case !p.flying:
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

// close closes the handle when everything is sent, at the latest after the timeout. A
// Read that waits ends with its operation, and a Write at once.
func (p *pump) close() error {
	s := p.stream
	p.kick()
	if !p.flying {
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

// overdue is a pump that has not sent everything in the time that Close has.
type pumpTimer pump

// Wake gives up what is not sent. It is the loop's to call.
func (o *pumpTimer) Wake() { _ = o.stream.handle.Abort() }
