// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"slices"

	"baton/loop/poll"
	"baton/task"
)

// ReadAhead starts a read and returns at once. The next call that reads gets the bytes. If
// the stream ends instead, the loop calls gone with the error that a Read would return. So
// a server that works on an answer learns without a reading task that its client has disconnected.
// gone is a callback and must not switch; it may be nil.
//
// ReadAhead does nothing while bytes are buffered, during a call that reads, and after
// Close. gone is called at most once, and not after a call has read. A second ReadAhead
// replaces gone. StartTLS, Detach and ReadFiles end a ReadAhead, and lose no byte.
func (s *Stream) ReadAhead(gone func(err error)) {
	s.held("Stream.ReadAhead")
	if s.closed || s.in.user != nil || s.ahead.len() > 0 {
		return
	}
	if s.early == nil {
		s.early = &earlyRead{stream: s}
	}
	s.early.gone = gone
	if !s.early.inFlight {
		s.early.read()
	}
}

// Unread puts a copy of p back into the stream: the next call that reads gets it first. It
// is for code that has read too far, as package bufio may do. During a call that reads, or
// while a ReadAhead is in flight, Unread panics.
func (s *Stream) Unread(p []byte) {
	s.held("Stream.Unread")
	if len(p) == 0 || s.closed {
		return
	}
	if s.in.user != nil || s.early != nil && s.early.inFlight {
		misuse("Unread of %v during a read; call it when no call reads", s)
	}
	all := append(slices.Clone(p), s.ahead.bytes()...)
	s.ahead.drop(s.ahead.len())
	s.ahead.replace(all)
	s.ahead.end = len(all)
}

// An earlyRead is the read of a ReadAhead. It uses the operation of the stream's reading
// direction.
type earlyRead struct {
	stream   *Stream
	gone     func(error) // nil once it was called, or a call has read
	inFlight bool        // the operation is in flight
	adopted  bool        // the user of s.in waits for the operation
}

// read reads until there is something for a call that reads. Without TLS that takes one
// operation. With TLS the bytes may be there already, or take several operations.
func (e *earlyRead) read() {
	s := e.stream
	for {
		if t := s.tls; t != nil && t.failed == nil {
			t.ahead()
		}
		switch {
		case s.ahead.len() > 0:
			return
		case e.endError() != nil:
			e.reportEnd()
			return
		}
		op := &s.in.op
		op.Owner, op.Buf = e, e.buffer().space()
		if e.inFlight = !s.loop.Driver().Submit(op); e.inFlight {
			return
		}
		e.finish()
	}
}

// buffer returns the buffer for bytes from the kernel.
func (e *earlyRead) buffer() *buffer {
	if t := e.stream.tls; t != nil {
		return &t.raw
	}
	return &e.stream.ahead
}

// endError returns what ended the stream, or nil.
func (e *earlyRead) endError() error {
	if t := e.stream.tls; t != nil {
		return t.failed
	}
	return e.stream.in.failed
}

// Complete takes the bytes. Only the loop calls it.
func (e *earlyRead) Complete(*poll.Op) {
	e.inFlight = false
	e.finish()
	if e.adopted {
		e.adopted = false
		e.stream.in.user.Wake()
	} else if !e.stream.closed {
		e.read()
	}
}

// finish takes the result of the operation. Only a call that has adopted the operation
// cancels it.
func (e *earlyRead) finish() {
	s, op := e.stream, &e.stream.in.op
	buf := op.Buf
	op.Owner, op.Buf = &s.in, nil
	switch {
	case s.closed:
	case op.N > 0:
		e.buffer().add(buf, op.N)
		if s.in.limited {
			s.active = s.loop.Time()
		}
	case op.Err != poll.ErrCanceled:
		_ = s.in.failure(context.Background(), op.Err) // failure keeps the error
		if t := s.tls; t != nil {
			t.end = s.in.failed
		}
	}
}

// reportEnd makes the loop call gone, unless a call reads first and returns the error.
func (e *earlyRead) reportEnd() {
	if e.gone == nil {
		return
	}
	e.stream.loop.CallSoon(func() {
		s, gone := e.stream, e.gone
		if gone != nil && !s.closed && s.in.user == nil {
			e.gone = nil
			gone(e.endError())
		}
	})
}

// adopt waits for the read of a ReadAhead, if one is in flight. The user of s.in calls it
// before it reads. After an error, which is a cancel or a timeout, the user can try again.
// adopt may switch.
func (s *Stream) adopt(ctx context.Context) error {
	e, d := s.early, &s.in
	if e == nil || !e.inFlight {
		return nil
	}
	e.adopted = true
	d.startWait()
	task.Park(ctx, d) // returns nil, because Cancel returns false
	d.endWait()
	switch {
	case s.closed:
		return s.opError("read", net.ErrClosed)
	case d.op.N == 0 && d.op.Err == poll.ErrCanceled:
		return d.failure(ctx, poll.ErrCanceled)
	}
	return nil
}

// cancelEarly cancels the read of a ReadAhead, if one is in flight. The bytes that it has
// read stay in the stream. The user of s.in calls it before it uses the direction for
// something else. It may switch.
func (s *Stream) cancelEarly(ctx context.Context) error {
	if s.early == nil || !s.early.inFlight {
		return nil
	}
	s.loop.Poller().Cancel(&s.in.op)
	err := s.adopt(ctx)
	if err != nil && !s.closed {
		return task.Check(ctx) // another error comes from the Cancel or from a timeout
	}
	return err
}
