// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"

	"baton/task"
)

// Write writes all of p: it waits until the kernel has taken everything, and
// that is the back pressure. n bytes were taken, also beside an error; p must
// not be changed before Write returns.
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
// kernel as it takes. It does not change bufs; otherwise it is like Write.
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
