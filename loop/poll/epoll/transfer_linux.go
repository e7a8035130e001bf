// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

const (
	// yieldBytes is how much a Write may send before it yields to other operations. It also
	// limits one system call: while a reader on another thread empties the socket as fast as
	// the kernel fills it, a longer call would not return.
	yieldBytes = 256 << 10

	// callBuffers is the largest number of buffers in one system call (IOV_MAX).
	callBuffers = 1024
)

// read makes at most one successful system call. Further bytes wait for the next Read, so that
// other operations run before it. A Read with an empty buffer completes at once, because it
// would look like the end of the stream. If op has no buffer, read takes one of the poller's,
// and returns it if there is nothing to read.
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
		// A short read has emptied a TCP socket, and later data cause a new event. A read of a
		// UNIX socket may stop early at a message with descriptors, so only EAGAIN proves that
		// it is empty.
		if n < len(buf) && s.tcp && !s.needEAGAIN {
			s.canRead = false
		}
		if op.Buf == nil {
			op.Buf = buf[:n]
			s.class = nextClass(s.class, n)
		}
		op.N = n
		s.poller.readBytes += n
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

// write sends until everything is sent, the kernel accepts no more, or yieldBytes are sent. A
// short write does not prove that the socket is full: only after EAGAIN will an event come.
//
// op.N counts the bytes sent, so it is right also after an error or a cancel. A Write that
// yields stays in flight, and resumeWrites continues it without an event. The kernel has space,
// so no event would come.
func (s *socket) write(op *poll.Op) bool {
	for sent := 0; s.hasMore(op); {
		if !s.canWrite {
			return false
		}
		if sent >= yieldBytes {
			s.poller.yield(s)
			return false
		}
		n, err := s.writeOnce(op, yieldBytes-sent)
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

// hasMore reports whether op has bytes to send. It moves s.next to a buffer that is not empty,
// so that every system call can send something. A Write of nothing completes without a system
// call.
func (s *socket) hasMore(op *poll.Op) bool {
	if op.Bufs == nil {
		return op.N < len(op.Buf)
	}
	for s.next < len(op.Bufs) && len(op.Bufs[s.next]) == 0 {
		s.next++
	}
	return s.next < len(op.Bufs)
}

// writeOnce makes one system call that writes at most limit bytes. Package unix keeps the
// addresses of up to eight buffers on the stack. More buffers cost one allocation, which is
// little compared with copying them. During the call the last buffer is cut to the limit; write
// calls again for the rest.
func (s *socket) writeOnce(op *poll.Op, limit int) (n int, err error) {
	if op.Bufs == nil {
		rest := op.Buf[op.N:]
		return s.send(rest[:min(len(rest), limit)])
	}
	bufs, k := op.Bufs[s.next:], 0
	var last []byte
	for k < min(len(bufs), callBuffers) && limit > 0 {
		last = bufs[k]
		bufs[k] = last[:min(len(last), limit)]
		limit -= len(bufs[k])
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

// advance removes n sent bytes from the front of op. It cuts the elements of op.Bufs in place,
// as poll.Write allows, so that the list is not copied.
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

// ready tries a Readable or Writable. canRead and canWrite only say that a try may succeed, so
// ready calls poll(2) with a timeout of zero, which returns the current state. ready cannot
// wait for an edge-triggered event: it may have come before.
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
