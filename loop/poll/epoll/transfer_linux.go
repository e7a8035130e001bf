// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

const (
	// turnBytes is what one Write may send before others have their turn, and so
	// what one call of the kernel gets. A reader on another thread could keep up
	// with it for ever, and while it does such a call does not return.
	turnBytes = 256 << 10

	// callBuffers is how many buffers the kernel takes in one call (IOV_MAX).
	callBuffers = 1024
)

// read makes one call at most: the next bytes are for the next Read, and for
// everybody else's turn before it. An empty buffer finishes at once, or it
// could not be told from the end of the stream. The buffer that the poller
// brings is taken for the try, and goes back if there was nothing.
func (s *socket) read(op *poll.Op) bool {
	if op.Buf != nil && len(op.Buf) == 0 {
		return true
	}
	if !s.canRead {
		return false
	}
	if s.oneWay == poll.Write {
		return s.readerGone(op)
	}
	buf := op.Buf
	if buf == nil {
		buf = s.poller.buffers.take(s.class)
	}
	n, err := s.recv(buf)
	for err == unix.EINTR {
		n, err = s.recv(buf)
	}
	if err == nil && n > 0 {
		// TCP gives what it has, so a short read has emptied it, and whatever
		// came since then is an event that is still to be seen. A UNIX socket
		// stops early at a message with descriptors; it must say EAGAIN.
		if n < len(buf) && s.tcp && !s.lasting {
			s.canRead = false
		}
		if op.Buf == nil {
			op.Buf = buf[:n]
			s.class = nextClass(s.class, n)
		}
		op.N = n
		s.poller.read += n
		return true
	}
	if op.Buf == nil {
		s.poller.buffers.put(buf)
	}
	switch err {
	case nil:
		op.Err = io.EOF
	case unix.EAGAIN:
		s.canRead = false
		return false
	default:
		op.Err = os.NewSyscallError("read", err)
	}
	return true
}

// write sends until everything is sent, the kernel takes no more or turnBytes
// are reached. A short write is no proof that the socket is full: only EAGAIN
// promises an event.
//
// op.N counts along, so an error or a cancel tells what had gone out. A Write
// that gives way is still in flight, and continued by goOn without an event:
// the kernel has room, so none would come.
func (s *socket) write(op *poll.Op) bool {
	for sent := 0; s.left(op); {
		if !s.canWrite {
			return false
		}
		if sent >= turnBytes {
			s.poller.giveWay(s)
			return false
		}
		n, err := s.put(op, turnBytes-sent)
		switch err {
		case nil:
			s.advance(op, n)
			sent += n
		case unix.EINTR:
		case unix.EAGAIN:
			s.canWrite = false
		default:
			op.Err = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}

// left reports whether op has bytes that were not sent. It leaves next at a
// buffer that is not empty, so every call of the kernel can take something. A
// Write of nothing has none, and finishes without a system call.
func (s *socket) left(op *poll.Op) bool {
	if op.Bufs == nil {
		return op.N < len(op.Buf)
	}
	for s.next < len(op.Bufs) && len(op.Bufs[s.next]) == 0 {
		s.next++
	}
	return s.next < len(op.Bufs)
}

// put makes one call, of at most so many bytes. Package unix keeps up to eight
// buffers' addresses on the stack; more cost one allocation, which is little beside
// copying them. The list is cut off at what one call takes, and its last buffer is
// short during the call; write calls again.
func (s *socket) put(op *poll.Op, most int) (n int, err error) {
	if op.Bufs == nil {
		rest := op.Buf[op.N:]
		return s.send(rest[:min(len(rest), most)])
	}
	bufs, k := op.Bufs[s.next:], 0
	var last []byte
	for k < min(len(bufs), callBuffers) && most > 0 {
		last = bufs[k]
		bufs[k] = last[:min(len(last), most)]
		most -= len(bufs[k])
		k++
	}
	if k == 1 {
		n, err = s.send(bufs[0])
	} else {
		n, err = unix.Writev(s.fd, bufs[:k])
	}
	bufs[k-1] = last
	return n, err
}

// advance takes n bytes that were sent from the front of op. Buffers are cut
// where they lie, as the seam allows, so that no copy of their list is needed.
// The Write's owner has them back, cut, when it is reported.
func (s *socket) advance(op *poll.Op, n int) {
	op.N += n
	for op.Bufs != nil && n > 0 {
		taken := min(n, len(op.Bufs[s.next]))
		op.Bufs[s.next] = op.Bufs[s.next][taken:]
		n -= taken
		if n > 0 {
			s.next++
		}
	}
}

// ready asks the kernel for Readable and Writable: the bits only say that a try
// is worth it, not that it will succeed. A level is asked for, and the kernel's
// answer to poll(2) with no time is one; an edge that has passed would not
// tell.
func (s *socket) ready(op *poll.Op, events int16) bool {
	fds := [1]unix.PollFd{{Fd: int32(s.fd), Events: events}}
	n, err := unix.Poll(fds[:], 0)
	for err == unix.EINTR {
		n, err = unix.Poll(fds[:], 0)
	}
	switch {
	case err != nil:
		op.Err = os.NewSyscallError("poll", err)
	case n == 0:
		return false
	case fds[0].Revents&unix.POLLNVAL != 0:
		op.Err = os.NewSyscallError("poll", unix.EBADF)
	}
	return true
}
