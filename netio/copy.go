// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"io"

	"baton/task"
)

// A Writer is the destination of Copy: a Stream, or a type with a similar Write. Like an
// io.Writer, it writes all of p or returns an error, and neither changes nor keeps p. It
// may switch.
type Writer interface {
	Write(ctx context.Context, p []byte) (n int, err error)
}

// A Reader is the source of Copy: a Stream, a file.File, or a type with a similar Read.
// Like an io.Reader, it returns io.EOF at the end. It may switch.
type Reader interface {
	Read(ctx context.Context, p []byte) (n int, err error)
}

// A WriterTo is a Reader that can be copied in a better way than through a buffer. It may
// switch, and returns how many bytes dst took.
type WriterTo interface {
	WriteTo(ctx context.Context, dst Writer) (n int64, err error)
}

// copyPiece is the buffer size of a copy from a Reader that is not a Stream, in bytes.
const copyPiece = 64 << 10

// Copy reads from src until its end and writes to dst. It returns how many bytes dst took.
// The end of src is not an error.
//
// Copy also ends at the first error of src or dst, which it returns unchanged. A cancel
// ends it with the [*task.Canceled], and may interrupt a Write of dst.
//
// If src is a Stream, bytes that dst did not take stay in src. The whole copy is one call
// that reads. So no other task can read from src meanwhile, and the read timeout of src
// limits the copy as a whole, from its first wait. For a copy of unknown length set the
// idle timeout instead. Copy needs no buffer while it waits for src, if the poller can
// provide one with the data. dst and src may be the same stream.
//
// If src is a WriterTo, such as a file.File, Copy calls its WriteTo. From any other Reader
// it copies through a buffer; bytes that dst did not take are lost.
func Copy(ctx context.Context, dst Writer, src Reader) (int64, error) {
	switch src := src.(type) {
	case *Stream:
		return copyStream(ctx, dst, src)
	case WriterTo:
		return src.WriteTo(ctx, dst)
	}
	return copyPieces(ctx, dst, src)
}

// copyPieces implements Copy through a buffer.
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

// copyStream implements Copy from a Stream.
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

// copyTo implements Copy for the user of s.in. It uses no memory but the read-ahead buffer,
// and offers every byte to dst before the next read. So a slow dst slows down src, and no
// byte is lost after an error.
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
