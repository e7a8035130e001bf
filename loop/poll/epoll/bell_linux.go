// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"encoding/binary"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A bell is what ends a wait for the epoll descriptor in the kernel: an eventfd
// in the set (eventfd(2)). Its event is nobody's operation, so whoever sees it
// only looks what has changed.
type bell struct {
	// mu keeps the descriptor open while somebody writes to it. It guards fd.
	mu sync.Mutex
	fd int // -1 after close
}

// newBell hangs a bell into an epoll set. Edge-triggered, every ring is an
// event, and nobody needs to read the counter.
func newBell(epfd int) (*bell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: noSlot}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return &bell{fd: fd}, nil
}

// ring is safe from every goroutine, also after close. The lock costs little
// beside the system call, and without it the number could be another file's by
// the time of the write.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd >= 0 {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1) // 2^64 rings are a long time
		unix.Write(b.fd, one[:])
	}
}

// close may be called again, and does nothing then.
func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd >= 0 {
		unix.Close(b.fd)
		b.fd = -1
	}
}

// Descriptor implements [poll.Pollable]: an epoll descriptor is readable when
// it has events, and from here on it has one for each Wake. The first call rings
// for whatever has come before; a Wake at the same time that does not see the
// bell yet came before that ring.
func (p *Poller) Descriptor() (uintptr, error) {
	if p.closed {
		return 0, net.ErrClosed
	}
	if p.host.Load() == nil {
		b, err := newBell(p.epfd)
		if err != nil {
			return 0, err
		}
		p.host.Store(b)
		b.ring() // for what came before there was a bell
	}
	return uintptr(p.epfd), nil
}
