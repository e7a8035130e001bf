// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"encoding/binary"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A wakeup ends a wait for the epoll descriptor in the kernel. It is an eventfd in the epoll
// set (eventfd(2)). Its event belongs to no operation: it only ends the wait.
type wakeup struct {
	// mu guards fd, and keeps the descriptor open during a write to it.
	mu sync.Mutex
	fd int // -1 after close
}

// newWakeup adds a wakeup to an epoll set. It is edge-triggered: every signal is an event, and
// no code has to read the counter.
func newWakeup(epfd int) (*wakeup, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: noSlot}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return &wakeup{fd: fd}, nil
}

// signal makes the epoll descriptor readable. It is safe for concurrent use, also after close.
// Without the lock, fd could be the descriptor of another file by the time of the write. The
// lock costs little compared with the system call.
func (w *wakeup) signal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd >= 0 {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1) // the counter has 64 bits, and does not overflow
		unix.Write(w.fd, one[:])
	}
}

// close closes the descriptor. A second call does nothing.
func (w *wakeup) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd >= 0 {
		unix.Close(w.fd)
		w.fd = -1
	}
}

// Descriptor implements [poll.Pollable]. An epoll descriptor is readable when it has events.
// After the first call, each Wake causes an event. The first call itself causes one for earlier
// Wakes. A concurrent Wake that does not see the new wakeup yet came before that event.
func (p *Poller) Descriptor() (uintptr, error) {
	if p.closed {
		return 0, net.ErrClosed
	}
	if p.hostWakeup.Load() == nil {
		w, err := newWakeup(p.epfd)
		if err != nil {
			return 0, err
		}
		p.hostWakeup.Store(w)
		w.signal() // for Wakes and completions before the first call
	}
	return uintptr(p.epfd), nil
}
