// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// Adopt implements [poll.Poller]. A descriptor can be adopted once at a time, and not if it is
// a socket of this poller. Otherwise the error is EEXIST, and its text names the owner. The
// handle must be closed before the descriptor. If the descriptor was closed first and its
// number now belongs to another file, that file can be adopted. Operations in flight on the old
// handle then fail with EBADF.
//
// Readable and Writable do not change the descriptor. The first Read, Write or Accept sets
// O_NONBLOCK on its open file description, also for other processes that share it. The poller
// never clears it.
//
// The poller does not know what other code does with the descriptor. So it keeps no readiness
// bits, and asks the kernel for a level-triggered event for each operation that waits. That
// costs one more epoll_ctl.
//
// A regular file or a directory cannot be watched: the kernel returns EPERM (epoll_ctl(2)).
func (p *Poller) Adopt(fd uintptr) (poll.Handle, error) {
	if p.closed {
		return nil, fmt.Errorf("epoll: adopt: %w", net.ErrClosed)
	}
	s := &socket{poller: p, fd: int(fd), adopted: true, file: true}
	p.slots.take(s)
	if err := s.control(unix.EPOLL_CTL_ADD, unix.EPOLLONESHOT); err != nil {
		s.closed = true
		p.slots.release(s)
		return nil, fmt.Errorf("epoll: adopt: %s%w", p.explain(int(fd), err), err)
	}
	p.forget(s.fd)
	if p.adopted == nil {
		p.adopted = make(map[int]*socket)
	}
	p.adopted[s.fd] = s
	return s, nil
}

// forget drops the handle of an adopted descriptor that its owner has closed too early. It is
// called when a new file with the same number has just been registered.
func (p *Poller) forget(fd int) {
	s := p.adopted[fd]
	if s == nil {
		return
	}
	delete(p.adopted, fd)
	s.end(s.in, unix.EBADF)
	s.end(s.out, unix.EBADF)
	s.drop()
}

// explain returns what the kernel's error for fd means, as the beginning of a message. It is
// empty if err needs no explanation.
func (p *Poller) explain(fd int, err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return kindOf(fd) + " cannot be watched: "
	case errors.Is(err, unix.EEXIST):
		return fmt.Sprintf("descriptor %d belongs to %s: ", fd, p.owner(fd))
	case errors.Is(err, unix.ELOOP):
		return fmt.Sprintf("descriptor %d is an epoll set around too many others: ", fd)
	}
	return ""
}

func kindOf(fd int) string {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) == nil {
		switch stat.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			return "a regular file"
		case unix.S_IFDIR:
			return "a directory"
		}
	}
	return "a file of this kind"
}

// owner describes the handle that fd belongs to, in words that a user of the API knows.
func (p *Poller) owner(fd int) string {
	i := slices.IndexFunc(p.slots.all, func(t slot) bool { return t.socket != nil && t.socket.fd == fd })
	if i < 0 {
		return "the poller"
	}
	switch s := p.slots.all[i].socket; {
	case s.adopted:
		return "a handle of an earlier Adopt"
	case s.oneWay != 0:
		return fmt.Sprintf("the pipe %v", s.local)
	case s.local == nil:
		return fmt.Sprintf("a Connect to %v that is in flight", s.remote)
	case s.remote == nil:
		return fmt.Sprintf("a listener on %v", s.local)
	default:
		return fmt.Sprintf("a stream from %s to %s", addrName(s.local), addrName(s.remote))
	}
}

// addrName returns the name of one end of a connection. A UNIX socket may have no name.
func addrName(addr net.Addr) string {
	if addr.String() == "" {
		return "an unnamed socket"
	}
	return addr.String()
}

// prepare makes an adopted descriptor ready for an operation of kind k. It sets the readiness
// bits every time, because the poller does not know what happened since the last operation.
func (s *socket) prepare(k poll.Kind) error {
	s.canRead, s.canWrite = true, true
	if s.nonblocking || k == poll.Readable || k == poll.Writable {
		return nil
	}
	if err := unix.SetNonblock(s.fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	s.nonblocking = true
	return nil
}

// arm requests one event for the operations in flight. It is one-shot, so that a ready
// descriptor without a waiting operation causes no events. The kernel always reports EPOLLERR
// and EPOLLHUP.
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

// rearm requests the next event. If the kernel refuses, no event would ever end the operations
// in flight, so both end with the error.
func (s *socket) rearm() {
	if err := s.arm(); err != nil {
		s.end(s.in, err)
		s.end(s.out, err)
	}
}
