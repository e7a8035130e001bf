// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"fmt"
	"io"
	"net"

	"baton/task"
)

// Read reads what is there into p, at least one byte, and waits for it if it
// must. At the end of the stream it returns io.EOF, and goes on doing so.
//
// p belongs to the kernel until Read returns, whatever happens meanwhile. An empty
// p reads nothing and does not wait.
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

// ReadFull fills p. If the stream ends before the first byte the error is
// io.EOF, and after it io.ErrUnexpectedEOF; n bytes were read, whatever the
// error, and a caller that goes on after a cancel or a timeout asks for p[n:].
// The LineLimit is not for p, which the caller has already.
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
		return n, nil // also if an error came together with the last bytes
	}
	if n > 0 && err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Peek returns the next n bytes without taking them: they are in the stream's own
// memory, valid until the next call that reads. If there are fewer before an error,
// those are returned with the error, which is io.EOF at the end of the stream. More
// than the stream's LineLimit are ErrTooLong, and a negative n is misuse and
// panics.
func (s *Stream) Peek(ctx context.Context, n int) ([]byte, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		misuse("Peek of %d bytes", n)
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

// read is Read for whoever is the user of s.in. It is one operation at most, so
// that a cancel has either had the bytes or had no effect; and what was read ahead
// asks nobody, whatever became of the connection since.
func (s *Stream) read(ctx context.Context, p []byte) (int, error) {
	if s.skip && len(p) > 0 {
		if err := s.skipLine(ctx); err != nil {
			return 0, err
		}
	}
	if s.early != nil && s.early.flying {
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
		p = []byte{} // an operation without a buffer would be brought one
	}
	s.in.op.Buf = p
	n, err := s.in.do(ctx)
	s.in.op.Buf = nil
	return n, err
}

// fill reads more bytes ahead, at least one, or returns why not; the user of s.in
// calls it. It knows no limit: whoever looks for the end of something counts. Bytes
// that come when the stream was closed meanwhile are dropped, and that is the error:
// Close has forgotten the buffer to which they would be added, and what was in it.
func (s *Stream) fill(ctx context.Context) error {
	if err := s.in.yieldIfDue(ctx); err != nil {
		return err
	}
	if s.early != nil && s.early.flying {
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
