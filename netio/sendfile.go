// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"io"
	"math"
	"os"

	"baton/await"
	"baton/loop/poll"
	"baton/task"
)

const (
	// filePiece is how many bytes of a file are read at once if the kernel cannot send it.
	filePiece = 64 << 10

	// sendMost is how many bytes one operation sends: its count is an int, which may have
	// 32 bits.
	sendMost = 1 << 30
)

// SendFile writes count bytes of f, starting at offset. A negative count means everything
// up to the end of f. If f ends earlier, the error is io.ErrUnexpectedEOF. n is the number
// of bytes that the kernel has taken, also if err is not nil: after a cancel or a timeout,
// another SendFile can continue at offset + n.
//
// f must be a file that can be read at an offset, so it must not be a pipe. SendFile
// neither uses nor moves the offset of f's own Read and Write. In other respects it is like
// [Stream.Write].
//
// On Linux the kernel sends the file from its cache (sendfile(2)). If a part of the file is
// not in the cache, the kernel reads it from the disk, and that blocks the loop.
//
// In other cases SendFile reads f with [await.Blocking], in pieces of 64 KiB, and writes
// them. These cases are TLS, a poller without [poll.SendFiles], and a file that the kernel
// cannot send.
func (s *Stream) SendFile(ctx context.Context, f *os.File, offset, count int64) (n int64, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if f == nil || offset < 0 {
		misuse("SendFile of %d bytes from offset %d; it needs a file and an offset that is not negative", count, offset)
	}
	if err := s.begin(&s.out, r); err != nil {
		return 0, err
	}
	defer s.out.release()
	if count == 0 {
		_, err := s.write(ctx, nil)
		return 0, err
	}
	left := count
	if count < 0 {
		left = math.MaxInt64 - offset
	}
	if s.tls == nil && s.loop.Poller().Caps().Has(poll.SendFiles) {
		n, err = s.sendByKernel(ctx, f, offset, left)
	} else {
		err = errors.ErrUnsupported
	}
	if errors.Is(err, errors.ErrUnsupported) {
		var m int64
		m, err = s.sendByPieces(ctx, f, offset+n, left-n)
		n += m
	}
	switch {
	case err != io.EOF:
		return n, err
	case count < 0:
		return n, nil
	}
	return n, io.ErrUnexpectedEOF
}

// sendByKernel sends with operations of the poller, for the user of s.out. The error is
// io.EOF at the end of the file.
func (s *Stream) sendByKernel(ctx context.Context, f *os.File, offset, left int64) (n int64, err error) {
	part, op := poll.FilePart{File: f}, &s.out.op
	op.Kind, op.File = poll.SendFile, &part
	defer func() { op.Kind, op.File = poll.Write, nil }()
	for n < left {
		if err := s.out.yieldIfDue(ctx); err != nil {
			return n, err
		}
		most := int64(sendMost)
		if s.idle > 0 {
			most = pieceBytes // see pieceBytes
		}
		part.Offset, part.Count = offset+n, int(min(left-n, most))
		m, err := s.out.do(ctx)
		n += int64(m)
		s.out.moved += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// sendByPieces reads and writes, for the user of s.out. The error is io.EOF at the end of
// the file.
func (s *Stream) sendByPieces(ctx context.Context, f *os.File, offset, left int64) (n int64, err error) {
	buf := make([]byte, min(left, filePiece))
	for n < left {
		piece := buf[:min(left-n, filePiece)]
		k, err := s.readPiece(ctx, f, piece, offset+n)
		if k > 0 {
			m, err := s.write(ctx, piece[:k])
			n += int64(m)
			if err != nil {
				return n, err
			}
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readPiece reads a piece of f. It may switch. In a simulated world it reads while it holds
// the baton: otherwise the turn in which the read returns would differ between replays.
func (s *Stream) readPiece(ctx context.Context, f *os.File, piece []byte, offset int64) (int, error) {
	if !s.loop.Poller().Caps().Has(poll.Virtual) {
		return await.Blocking(ctx, func(context.Context) (int, error) { return f.ReadAt(piece, offset) })
	}
	if err := task.Yield(ctx); err != nil {
		return 0, err
	}
	return f.ReadAt(piece, offset)
}
