// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// Write writes all of p: it waits until the kernel has taken everything, and
// that is the back pressure. What the kernel has taken may still be lost: that the
// peer has read it only an answer of the peer can tell.
//
// n bytes were taken, also beside an error; p must not be changed before Write
// returns. A cancel or a timeout may leave half a message behind, so after one the
// peer usually cannot make sense of what follows, and the stream is best closed.
// Once the peer has closed its side the error is EPIPE or ECONNRESET: perhaps only
// with the second Write, since the first is what makes the peer tell (RFC 9293,
// section 3.6.1).
func (s *Stream) Write(ctx context.Context, p []byte) (n int, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.begin(&s.out, r); err != nil {
		return 0, err
	}
	n, err = s.write(ctx, p)
	s.out.release()
	return n, err
}

// write is Write for whoever is the user of s.out.
func (s *Stream) write(ctx context.Context, p []byte) (int, error) {
	s.out.op.Buf = p
	n, err := s.out.do(ctx)
	s.out.op.Buf = nil
	return n, err
}

// WriteBuffers writes all buffers one after the other, in as few calls of the
// kernel as it takes (writev): a header and a body make one packet without being
// copied together. It does not change bufs, and empty ones may be among them; n is
// counted over all of them. Otherwise it is like Write. A poller that cannot do
// that in one call ([poll.Vectored]) does it in several.
func (s *Stream) WriteBuffers(ctx context.Context, bufs ...[]byte) (n int, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.begin(&s.out, r); err != nil {
		return 0, err
	}
	// A poller cuts what it has written off the headers it is given.
	s.vector = append(s.vector[:0], bufs...)
	s.out.op.Bufs = s.vector
	n, err = s.out.do(ctx)
	s.out.op.Bufs = nil
	clear(s.vector)
	s.out.release()
	return n, err
}
