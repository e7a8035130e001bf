// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// blocking is the sleeper that waits in the kernel, in epoll_pwait2 (Linux 5.11), whose
// timeouts are not rounded to milliseconds. It holds a thread while it sleeps. Go's scheduler
// must notice that and start another thread, which makes this sleeper the more expensive one to
// wake.
type blocking struct {
	epfd   int     // the poller's descriptor; close closes it
	wakeup *wakeup // signaled by wake
}

// newBlocking takes ownership of the epoll descriptor. On a kernel without epoll_pwait2 the
// error is errors.ErrUnsupported; a call that does not wait finds that out.
func newBlocking(epfd int) (*blocking, error) {
	b := &blocking{epfd: epfd}
	var events [1]unix.EpollEvent
	if _, errno := b.block(events[:], 0); errno != 0 {
		unix.Close(epfd)
		return nil, os.NewSyscallError("epoll_pwait2", errno)
	}
	var err error
	if b.wakeup, err = newWakeup(epfd); err != nil {
		unix.Close(epfd)
		return nil, err
	}
	return b, nil
}

// block waits for events until d has passed; d < 0 sets no limit. The kernel writes only into
// memory of the poller, so the race detector does not need to know. The system call is not raw,
// because it may take long. The caller handles EINTR, which Go's preemption signals cause.
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

// sleep implements sleeper. It checks the state after every return of the system call. A Wake
// between the change to waiting and the call has already signaled the wakeup. The call may
// return early: because of a signal or the wakeup of an earlier Wake, or with an event that
// completes no operation. Then sleep continues for the rest of the time.
func (b *blocking) sleep(p *Poller, d time.Duration) {
	deadline := time.Now().Add(d)
	if !p.state.CompareAndSwap(running, waiting) {
		p.pollEvents()
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

// skip implements sleeper.
func (b *blocking) skip() {}

// wake implements sleeper.
func (b *blocking) wake() { b.wakeup.signal() }

// close implements sleeper. It must not be called during sleep.
func (b *blocking) close() error {
	b.wakeup.close()
	return os.NewSyscallError("close", unix.Close(b.epfd))
}
