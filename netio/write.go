// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// Write writes all of p: it waits until the kernel has taken everything, and that
// is the back pressure. What the kernel has taken may still be lost: only an
// answer of the peer can tell that it has read it.
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

// pieceBytes is how much one operation writes while there is an idle timeout. Bytes
// have moved when their operation is finished, so a long one would look idle.
const pieceBytes = 16 << 10

// write is Write for whoever is the user of s.out.
func (s *Stream) write(ctx context.Context, p []byte) (int, error) {
	if s.tls != nil {
		return s.tls.write(ctx, p)
	}
	if len(p) > pieceBytes && s.idle > 0 {
		return s.writeBuffers(ctx, p)
	}
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
	n, err = s.writeBuffers(ctx, bufs...)
	s.out.release()
	return n, err
}

// writeBuffers is WriteBuffers for whoever is the user of s.out.
func (s *Stream) writeBuffers(ctx context.Context, bufs ...[]byte) (n int, err error) {
	if s.tls != nil {
		return s.tls.write(ctx, bufs...)
	}
	// A poller cuts what it has written off the headers it is given.
	if s.vector == nil {
		s.vector = new([][]byte)
	}
	*s.vector = append((*s.vector)[:0], bufs...)
	for rest := *s.vector; ; {
		k, tail := len(rest), []byte(nil)
		if s.idle > 0 {
			k, tail = piece(rest)
		}
		s.out.op.Bufs = rest[:k]
		var m int
		m, err = s.out.do(ctx)
		n += m
		s.out.moved += m
		if len(tail) > 0 {
			k--
			rest[k] = tail
		}
		if rest = rest[k:]; err != nil || len(rest) == 0 {
			break
		}
		if err = s.out.yieldIfDue(ctx); err != nil {
			break
		}
	}
	s.out.op.Bufs = nil
	clear(*s.vector)
	return n, err
}

// piece cuts bufs to at most pieceBytes: it returns how many of them that is, and what
// was cut off the last one, if anything.
func piece(bufs [][]byte) (k int, tail []byte) {
	for room := pieceBytes; k < len(bufs) && room > 0; k++ {
		if len(bufs[k]) > room {
			bufs[k], tail = bufs[k][:room], bufs[k][room:]
		}
		room -= len(bufs[k])
	}
	return k, tail
}
