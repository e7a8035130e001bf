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

// Adopt implements [poll.Poller]. One descriptor can be adopted once at a time, and
// not if it is a socket of this poller (EEXIST; the error says whose it is). Its
// handle must be closed before the descriptor is. If it was not, and the number is
// another file's now, that one can be adopted, and what is in flight for the closed
// one fails with EBADF.
//
// Readable and Writable leave the descriptor as it is. The first Read, Write or
// Accept sets O_NONBLOCK on its open file, for everybody who shares it, and
// nothing sets it back.
//
// What others do with the descriptor is unknown here. So no bits are kept, and
// the kernel is asked to report a level, once for each operation that has to
// wait: the cost is one epoll_ctl more.
//
// A regular file or a directory cannot be watched, which is the kernel's EPERM
// (epoll_ctl(2)).
func (p *Poller) Adopt(fd uintptr) (poll.Handle, error) {
	if p.closed {
		return nil, fmt.Errorf("epoll: adopt: %w", net.ErrClosed)
	}
	s := &socket{poller: p, fd: int(fd), adopted: true, file: true}
	p.slots.take(s)
	if err := s.control(unix.EPOLL_CTL_ADD, unix.EPOLLONESHOT); err != nil {
		s.closed = true
		p.slots.release(s)
		return nil, fmt.Errorf("epoll: adopt: %s%w", p.why(int(fd), err), err)
	}
	p.forget(s.fd)
	if p.adopted == nil {
		p.adopted = make(map[int]*socket)
	}
	p.adopted[s.fd] = s
	return s, nil
}

// forget drops an adopted descriptor that its owner has closed under its handle: a
// new file with the same number has just been registered.
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

// why puts in words what the kernel's refusal of fd means, to stand before it; it
// is empty if the error says it all.
func (p *Poller) why(fd int, err error) string {
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

// owner says who has registered fd here, by what users know: streams and
// listeners have addresses.
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
		return fmt.Sprintf("a connection to %v that is being made", s.remote)
	case s.remote == nil:
		return fmt.Sprintf("a listener on %v", s.local)
	default:
		return fmt.Sprintf("a stream from %s to %s", named(s.local), named(s.remote))
	}
}

// named is an end of a connection; one of a UNIX socket may have no name.
func named(addr net.Addr) string {
	if addr.String() == "" {
		return "an unnamed socket"
	}
	return addr.String()
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
