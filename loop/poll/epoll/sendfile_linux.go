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

// sendFile sends until everything is sent, the file ends, the kernel takes no more or
// turnBytes are reached, as write does.
//
// The kernel reads what is not in its memory from the disk, and the call waits for
// that, whatever the socket's mode is.
func (s *socket) sendFile(op *poll.Op) bool {
	for sent := 0; op.N < op.File.Count; {
		if !s.canWrite {
			return false
		}
		if sent >= turnBytes {
			s.poller.giveWay(s)
			return false
		}
		n, err := s.putFile(op, turnBytes-sent)
		switch {
		case n > 0: // an error beside bytes comes again
			op.N += n
			sent += n
		case err == nil, err == unix.EOVERFLOW: // an offset that no file reaches
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

// putFile makes one call, of at most so many bytes. During the call the file cannot
// lose its descriptor to another file, even if its owner closes it.
func (s *socket) putFile(op *poll.Op, most int) (n int, err error) {
	part := op.File
	at := part.Offset + int64(op.N)
	conn, failure := part.File.SyscallConn()
	if failure == nil {
		failure = conn.Control(func(fd uintptr) {
			n, err = unix.Sendfile(s.fd, int(fd), &at, min(most, part.Count-op.N))
		})
	}
	if failure != nil {
		return 0, fs.ErrClosed // there is no other reason
	}
	return n, err
}

// isUnsendable reports whether err says that the kernel cannot send this sort of file,
// or not to this sort of descriptor (sendfile(2)).
func isUnsendable(err error) bool {
	return err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP
}
