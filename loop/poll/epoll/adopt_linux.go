// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// Adopt implements [poll.Poller]. One descriptor can be adopted once at a time
// (EEXIST), and its handle must be closed before the descriptor is.
//
// Readable and Writable leave the descriptor as it is. The first Read, Write or
// Accept sets O_NONBLOCK on its open file, for everybody who shares it, and
// nothing sets it back.
//
// What others do with the descriptor is unknown here. So no bits are kept, and
// the kernel is asked to report a level, once for each operation that has to
// wait: the cost is one epoll_ctl more.
//
// A regular file cannot be watched, which is the kernel's EPERM (epoll_ctl(2)).
func (p *Poller) Adopt(fd uintptr) (poll.Handle, error) {
	if p.closed {
		return nil, fmt.Errorf("epoll: adopt: %w", net.ErrClosed)
	}
	s := &socket{poller: p, fd: int(fd), adopted: true}
	p.slots.take(s)
	if err := s.control(unix.EPOLL_CTL_ADD, unix.EPOLLONESHOT); err != nil {
		s.closed = true
		p.slots.release(s)
		return nil, fmt.Errorf("epoll: adopt: %w", err)
	}
	return s, nil
}

// prepare makes an adopted descriptor ready for a try. The bits are set for
// each: nothing is known of what happened since the last.
func (s *socket) prepare(k poll.Kind) error {
	s.canRead, s.canWrite = true, true
	if s.tamed || k == poll.Readable || k == poll.Writable {
		return nil
	}
	if err := unix.SetNonblock(s.fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	s.tamed = true
	return nil
}

// arm asks for one event for the operations in flight. One-shot, so a
// descriptor that stays ready and has nobody waiting is silent. EPOLLERR and
// EPOLLHUP come unasked.
func (s *socket) arm() error {
	events := uint32(unix.EPOLLONESHOT)
	if s.in != nil {
		events |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if s.out != nil {
		events |= unix.EPOLLOUT
	}
	return s.control(unix.EPOLL_CTL_MOD, events)
}

// rearm goes on after an event. If the kernel refuses, nothing would ever end
// what is in flight. So both end with the error, and whoever waits learns of
// it.
func (s *socket) rearm() {
	if err := s.arm(); err != nil {
		s.end(s.in, err)
		s.end(s.out, err)
	}
}
