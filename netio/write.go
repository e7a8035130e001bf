// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// Write writes all of p. It returns when the kernel has taken everything, so a slow peer
// slows down the caller. The kernel may still lose these bytes: only an answer shows that
// the peer has read them.
//
// n is the number of bytes taken, also if err is not nil. p must not be changed before Write
// returns. A cancel or a timeout may cut a message in two; usually the stream should be
// closed then. If the peer has closed its end, the error is EPIPE or ECONNRESET. It may
// come only from the second Write, because the first one makes the peer report it (RFC
// 9293, section 3.6.1).
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

// pieceBytes is how many bytes one operation writes if there is an idle timeout. Bytes
// count as moved when their operation completes, so a long operation would look idle.
const pieceBytes = 16 << 10

// write implements Write for the user of s.out.
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

// WriteBuffers writes all buffers in order, in as few system calls as possible (writev): a
// header and a body go into one packet without being copied together. It does not change
// bufs, and skips empty buffers; n counts the bytes of all of them. Otherwise it is like
// Write. If the poller cannot write several buffers at once ([poll.Vectored]), it writes
// them one by one.
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

// writeBuffers implements WriteBuffers for the user of s.out.
func (s *Stream) writeBuffers(ctx context.Context, bufs ...[]byte) (n int, err error) {
	if s.tls != nil {
		return s.tls.write(ctx, bufs...)
	}
	// The poller cuts off what it has written from these headers.
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

// piece cuts bufs to at most pieceBytes. It returns how many buffers remain, and what it
// cut off the last one.
func piece(bufs [][]byte) (k int, tail []byte) {
	for space := pieceBytes; k < len(bufs) && space > 0; k++ {
		if len(bufs[k]) > space {
			bufs[k], tail = bufs[k][:space], bufs[k][space:]
		}
		space -= len(bufs[k])
	}
	return k, tail
}
