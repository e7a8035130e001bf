// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/internal/pipe"
)

var _ poll.PipeImporter = (*Poller)(nil)

// ImportPipe implements [poll.PipeImporter]. A device that the kernel cannot watch, such as
// /dev/null, never blocks.
func (p *Poller) ImportPipe(f *os.File, kind poll.Kind, name net.Addr) (poll.Handle, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	if kind != poll.Read && kind != poll.Write {
		return nil, unix.EINVAL
	}
	fd, shared, err := pipe.Open(f, kind == poll.Write)
	if err == pipe.ErrSocket {
		return p.Import(f, poll.Read, poll.SocketOptions{})
	} else if err != nil {
		return nil, err
	}
	s := &socket{poller: p, fd: fd, file: true, oneWay: kind, shared: shared, canRead: true, canWrite: true,
		local: name, remote: name}
	p.slots.take(s)
	if err := s.control(unix.EPOLL_CTL_ADD, ownEvents); err != nil && !errors.Is(err, unix.EPERM) {
		s.drop()
		return nil, err
	}
	p.forget(fd)
	return s, nil
}

// readerGone tries a Read of the writing end of a pipe: it completes when the reading end has
// been closed. The kernel reports that by an event.
func (s *socket) readerGone(op *poll.Op) bool {
	gone, err := pipe.Gone(s.fd)
	switch {
	case err != nil:
		op.Err = err
	case gone:
		op.Err = io.EOF
	default:
		s.canRead = false
		return false
	}
	return true
}

// closePipe is CloseWrite of a pipe. Only closing the descriptor ends the stream for the
// reader.
func (s *socket) closePipe() error {
	if s.oneWay == poll.Read {
		return nil
	}
	s.end(s.out, unix.EPIPE)
	s.end(s.in, io.EOF)
	s.halfClosed = true
	return s.drop()
}

// closedError returns the error of an operation on a closed handle.
func (s *socket) closedError(kind poll.Kind) error {
	switch {
	case !s.halfClosed:
		return net.ErrClosed
	case kind == poll.Read, kind == poll.Readable:
		return io.EOF
	}
	return os.NewSyscallError(kind.String(), unix.EPIPE)
}
