// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"fmt"
	"io"
	"net"

	"baton/task"
)

// Read reads into p what is available, at least one byte, and waits if there is nothing. At
// the end of the stream it returns io.EOF, every time.
//
// p must not be touched before Read returns, even after a cancel. If p is empty, Read
// returns at once.
func (s *Stream) Read(ctx context.Context, p []byte) (int, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.begin(&s.in, r); err != nil {
		return 0, err
	}
	n, err := s.read(ctx, p)
	s.in.release()
	return n, err
}

// ReadFull fills p. It returns io.EOF if the stream ends before the first byte, and
// io.ErrUnexpectedEOF if it ends later. n is the number of bytes read, also if err is not nil:
// after a cancel or a timeout the caller can continue with p[n:]. The LineLimit does not
// apply.
func (s *Stream) ReadFull(ctx context.Context, p []byte) (n int, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.begin(&s.in, r); err != nil {
		return 0, err
	}
	for n < len(p) && err == nil {
		if err = s.in.yieldIfDue(ctx); err != nil {
			break
		}
		var m int
		m, err = s.read(ctx, p[n:])
		n += m
		s.in.moved += m
	}
	s.in.release()
	if n == len(p) {
		return n, nil // even if an error came with the last bytes
	}
	if n > 0 && err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Peek returns the next n bytes and leaves them in the stream. The bytes are in the
// stream's memory, and valid until the next call that reads. If an error comes before n
// bytes, Peek returns the bytes before it and the error, which is io.EOF at the end of the
// stream. If n exceeds the LineLimit, the error is ErrTooLong. Peek panics if n is
// negative.
func (s *Stream) Peek(ctx context.Context, n int) ([]byte, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		misuse("Peek of %d bytes; the number must not be negative", n)
	}
	if n > s.limit {
		return nil, fmt.Errorf("netio: peek at %d bytes: %w of %d", n, ErrTooLong, s.limit)
	}
	if err := s.begin(&s.in, r); err != nil {
		return nil, err
	}
	err = s.skipLine(ctx)
	for err == nil && s.ahead.len() < n {
		err = s.fill(ctx)
	}
	s.in.release()
	return s.ahead.bytes()[:min(n, s.ahead.len())], err
}

// read implements Read for the user of s.in. It does at most one operation, so a cancel
// either finds the bytes read or has no effect. Bytes that were read ahead are returned
// without an operation, even if the connection has failed since.
func (s *Stream) read(ctx context.Context, p []byte) (int, error) {
	if s.skip && len(p) > 0 {
		if err := s.skipLine(ctx); err != nil {
			return 0, err
		}
	}
	if s.early != nil && s.early.inFlight {
		if len(p) == 0 {
			return 0, nil
		}
		if err := s.adopt(ctx); err != nil {
			return 0, err
		}
	}
	if s.ahead.len() > 0 {
		return s.ahead.read(p), nil
	}
	if s.tls != nil {
		return s.tls.read(ctx, p)
	}
	if p == nil {
		p = []byte{} // with a nil buffer the poller would provide one
	}
	s.in.op.Buf = p
	n, err := s.in.do(ctx)
	s.in.op.Buf = nil
	return n, err
}

// fill reads more bytes ahead, at least one, or returns an error. The user of s.in calls it
// and enforces the limit. If the stream was closed meanwhile, fill drops the bytes and
// returns net.ErrClosed: Close has already forgotten the buffer.
func (s *Stream) fill(ctx context.Context) error {
	if err := s.in.yieldIfDue(ctx); err != nil {
		return err
	}
	if s.early != nil && s.early.inFlight {
		if err := s.adopt(ctx); err != nil || s.ahead.len() > 0 {
			return err // there was nothing when ReadAhead began
		}
	}
	buf := s.ahead.space()
	var n int
	var err error
	if s.tls != nil {
		buf, n, err = s.tls.readAhead(ctx, buf)
	} else {
		s.in.op.Buf = buf
		n, err = s.in.do(ctx)
		buf, s.in.op.Buf = s.in.op.Buf, nil
	}
	s.in.moved += n
	switch {
	case n > 0 && !s.closed:
		s.ahead.add(buf, n)
	case n > 0 && err == nil:
		err = s.opError("read", net.ErrClosed)
	}
	return err
}
