// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"io"

	"baton/task"
)

// A Writer is what Copy writes to: a Stream, or what behaves like its Write. It
// takes all of p or says why not, as an io.Writer does; it may switch, and neither
// changes p nor keeps it.
type Writer interface {
	Write(ctx context.Context, p []byte) (n int, err error)
}

// A Reader is what Copy reads from: a Stream, a file.File, or what behaves like their Read.
// It may switch, and returns io.EOF at the end, as an io.Reader does.
type Reader interface {
	Read(ctx context.Context, p []byte) (n int, err error)
}

// A WriterTo is a Reader that knows a better way to be copied than by a buffer. It may
// switch, and returns how many bytes dst took.
type WriterTo interface {
	WriteTo(ctx context.Context, dst Writer) (n int64, err error)
}

// copyPiece is the buffer of a copy from a Reader that is no Stream.
const copyPiece = 64 << 10

// Copy writes to dst what src brings, up to the end of src, and returns how many
// bytes dst took. The end of src is no error.
//
// It ends at the end of src, at the first error of either side, which is returned
// as it is, and with the [*task.Canceled] of a cancel, which may come in the
// middle of a Write of dst.
//
// If src is a Stream, what was read and not taken by dst stays in src, to be read. It is
// one call that reads: the read timeout of src is for all of it, counted from its first
// wait, so for a copy without an end the idle timeout is the one to set. It needs no
// buffer while it waits for src, if the poller can bring one with the data. No other task
// can read from src meanwhile. Dst may be src.
//
// A file.File and other WriterTos are copied by their WriteTo, and other Readers by a
// buffer; what was read and not taken is lost.
func Copy(ctx context.Context, dst Writer, src Reader) (int64, error) {
	switch src := src.(type) {
	case *Stream:
		return copyStream(ctx, dst, src)
	case WriterTo:
		return src.WriteTo(ctx, dst)
	}
	return copyPieces(ctx, dst, src)
}

// copyPieces is Copy by a buffer.
func copyPieces(ctx context.Context, dst Writer, src Reader) (written int64, err error) {
	buf := make([]byte, copyPiece)
	for {
		n, err := src.Read(ctx, buf)
		if n > 0 {
			m, err := dst.Write(ctx, buf[:n])
			written += int64(m)
			if err != nil {
				return written, err
			}
		}
		if err == io.EOF {
			return written, nil
		} else if err != nil {
			return written, err
		}
	}
}

// copyStream is Copy from a Stream.
func copyStream(ctx context.Context, dst Writer, src *Stream) (int64, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := src.begin(&src.in, r); err != nil {
		return 0, err
	}
	defer src.in.release() // also if dst panics
	return src.copyTo(ctx, dst)
}

// copyTo is Copy for whoever is the user of s.in. Reading ahead is all the memory
// it has, and every byte read is offered to dst before the next read: so a dst
// that is slow slows src down, and on an error nothing is lost.
func (s *Stream) copyTo(ctx context.Context, dst Writer) (written int64, err error) {
	if err := s.skipLine(ctx); err != nil && err != io.EOF {
		return 0, err
	}
	for {
		if s.ahead.len() > 0 {
			n, err := dst.Write(ctx, s.ahead.bytes())
			s.ahead.drop(n)
			written += int64(n)
			if err != nil {
				return written, err
			}
		}
		if err := s.fill(ctx); err == io.EOF {
			return written, nil
		} else if err != nil {
			return written, err
		}
	}
}
