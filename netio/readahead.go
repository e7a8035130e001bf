// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"slices"

	"baton/loop/poll"
	"baton/task"
)

// ReadAhead begins a read and returns at once. The next call that reads gets the bytes.
// If the stream ends instead, the loop calls gone with the error that this call would
// return. Gone is a callback and must not switch; it may be nil. With ReadAhead a server
// that works on an answer learns that its client has left, without a task that reads.
//
// ReadAhead does nothing while bytes are buffered, during a call that reads, and after
// Close. Gone is called once at most, and not after a call has read. A second ReadAhead
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
	if !s.early.flying {
		s.early.read()
	}
}

// Unread puts a copy of p back: the next call that reads gets it first. It is for code
// that has read too far, as package bufio does. During a call that reads, or while a
// ReadAhead waits, Unread is misuse and panics.
func (s *Stream) Unread(p []byte) {
	s.held("Stream.Unread")
	if len(p) == 0 || s.closed {
		return
	}
	if s.in.user != nil || s.early != nil && s.early.flying {
		misuse("Unread of %v during a read", s)
	}
	all := append(slices.Clone(p), s.ahead.bytes()...)
	s.ahead.drop(s.ahead.len())
	s.ahead.replace(all)
	s.ahead.end = len(all)
}

// An early is a read of ReadAhead. It uses the operation of the stream's reading half.
type earlyRead struct {
	stream  *Stream
	gone    func(error) // nil once it was called, or a call has read
	flying  bool        // the operation is in flight
	adopted bool        // the user of s.in waits for it
}

// read reads until there is something for a call that reads. Without TLS that is one
// read. TLS may have it already, or want several.
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
		if e.flying = !s.loop.Driver().Submit(op); e.flying {
			return
		}
		e.finish()
	}
}

// buffer is where the bytes from the kernel go.
func (e *earlyRead) buffer() *buffer {
	if t := e.stream.tls; t != nil {
		return &t.raw
	}
	return &e.stream.ahead
}

// ended is how the stream has ended, or nil.
func (e *earlyRead) endError() error {
	if t := e.stream.tls; t != nil {
		return t.failed
	}
	return e.stream.in.failed
}

// Complete takes the bytes. It is the loop's to call.
func (e *earlyRead) Complete(*poll.Op) {
	e.flying = false
	e.finish()
	if e.adopted {
		e.adopted = false
		e.stream.in.user.Wake()
	} else if !e.stream.closed {
		e.read()
	}
}

// took takes the result of the operation. Only a call that has adopted it cancels it.
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
		_ = s.in.failure(context.Background(), op.Err) // which keeps it
		if t := s.tls; t != nil {
			t.end = s.in.failed
		}
	}
}

// tell has gone called, unless a call reads first: that returns the error.
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

// adopt waits for the read of ReadAhead that is in flight, if there is one. The user of
// s.in calls it before it reads itself. After an error, of a cancel or a timeout, the
// user can try again. It may switch.
func (s *Stream) adopt(ctx context.Context) error {
	e, d := s.early, &s.in
	if e == nil || !e.flying {
		return nil
	}
	e.adopted = true
	d.startWait()
	task.Park(ctx, d) // which returns nil, since Cancel returns false
	d.endWait()
	switch {
	case s.closed:
		return s.opError("read", net.ErrClosed)
	case d.op.N == 0 && d.op.Err == poll.ErrCanceled:
		return d.failure(ctx, poll.ErrCanceled)
	}
	return nil
}

// recall takes back the read of ReadAhead that is in flight, if there is one. What it
// has read remains in the stream. The user of s.in calls it before it does something
// else than to read. It may switch.
func (s *Stream) cancelEarly(ctx context.Context) error {
	if s.early == nil || !s.early.flying {
		return nil
	}
	s.loop.Poller().Cancel(&s.in.op)
	err := s.adopt(ctx)
	if err != nil && !s.closed {
		return task.Check(ctx) // another error is that of the Cancel, or a timeout
	}
	return err
}
