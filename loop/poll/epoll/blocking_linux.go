// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// blocking sleeps in the kernel, in epoll_pwait2 (Linux 5.11), whose timeouts
// are not rounded to milliseconds. A bell wakes it. It holds a thread while it
// sleeps, and Go's scheduler has to notice that and bring another one: that is
// what makes it the dearer one to wake.
type blocking struct {
	epfd int   // the poller's; closed here
	bell *bell // rung by rouse
}

// newBlocking takes the epoll descriptor over. On a kernel without epoll_pwait2
// the error is errors.ErrUnsupported. It is found out by a call that does not
// wait.
func newBlocking(epfd int) (*blocking, error) {
	b := &blocking{epfd: epfd}
	var events [1]unix.EpollEvent
	if _, errno := b.block(events[:], 0); errno != 0 {
		unix.Close(epfd)
		return nil, os.NewSyscallError("epoll_pwait2", errno)
	}
	var err error
	if b.bell, err = newBell(epfd); err != nil {
		unix.Close(epfd)
		return nil, err
	}
	return b, nil
}

// block waits for events until d has passed; d < 0 sets no limit. The kernel
// writes into memory of the poller, which the race detector need not see. It is
// a call that tells the scheduler, since it may take its time. EINTR, which
// Go's own signals for preemption cause, is for the caller to see.
func (b *blocking) block(events []unix.EpollEvent, d time.Duration) (int, syscall.Errno) {
	timeout := newTimespec(max(d, 0))
	limit := &timeout
	if d < 0 {
		limit = nil
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(b.epfd),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(limit)), 0, 0)
	return int(n), errno
}

// sleep looks at the state after every return of the kernel. A Wake between the
// change to waiting and the call has rung the bell by then. An early end of the
// kernel's for no reason (a signal, the bell of an earlier Wake) is slept off
// with what is left of the time; so is an event that finishes nothing.
func (b *blocking) sleep(p *Poller, d time.Duration) {
	deadline := time.Now().Add(d)
	if !p.state.CompareAndSwap(running, waiting) {
		p.look()
		return
	}
	for p.state.Load() == waiting && !p.due() {
		left := d
		if d > 0 {
			if left = time.Until(deadline); left <= 0 {
				return
			}
		}
		if n, errno := b.block(p.events[:], left); errno == 0 {
			p.dispatch(p.events[:n])
		}
	}
}

// awake implements sleeper.
func (b *blocking) awake() {}

// rouse implements sleeper.
func (b *blocking) rouse() { b.bell.ring() }

// close implements sleeper. Nobody sleeps.
func (b *blocking) close() error {
	b.bell.close()
	return os.NewSyscallError("close", unix.Close(b.epfd))
}
