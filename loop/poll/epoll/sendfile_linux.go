// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// sendFile sends until everything is sent, the file ends, the kernel accepts no more, or
// yieldBytes are sent, like write.
//
// If data of the file are not in memory, the kernel reads them from the disk. The call blocks
// during that, even if the socket is non-blocking.
func (s *socket) sendFile(op *poll.Op) bool {
	for sent := 0; op.N < op.File.Count; {
		if !s.canWrite {
			return false
		}
		if sent >= yieldBytes {
			s.poller.yield(s)
			return false
		}
		n, err := s.sendFileOnce(op, yieldBytes-sent)
		switch {
		case n > 0: // the next call returns the error again
			op.N += n
			sent += n
		case err == nil, err == unix.EOVERFLOW: // the offset is beyond the largest file
			op.Err = io.EOF
			return true
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			s.canWrite = false
		case op.N == 0 && isUnsendable(err):
			op.Err = fmt.Errorf("epoll: %w: %w", os.NewSyscallError("sendfile", err), errors.ErrUnsupported)
			return true
		case err == fs.ErrClosed:
			op.Err = err
			return true
		default:
			op.Err = os.NewSyscallError("sendfile", err)
			return true
		}
	}
	return true
}

// sendFileOnce makes one system call that sends at limit limit bytes. During the call the
// descriptor cannot become that of another file, even if another goroutine closes the file.
func (s *socket) sendFileOnce(op *poll.Op, limit int) (n int, err error) {
	part := op.File
	at := part.Offset + int64(op.N)
	conn, failure := part.File.SyscallConn()
	if failure == nil {
		failure = conn.Control(func(fd uintptr) {
			n, err = unix.Sendfile(s.fd, int(fd), &at, min(limit, part.Count-op.N))
		})
	}
	if failure != nil {
		return 0, fs.ErrClosed // the only possible reason
	}
	return n, err
}

// isUnsendable reports whether err means that the kernel cannot send this type of file, or
// cannot send to this type of descriptor (sendfile(2)).
func isUnsendable(err error) bool {
	return err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP
}
