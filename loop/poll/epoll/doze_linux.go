// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// dozeTime is the longest doze. The kernel may add its timer slack, which is as long again
	// (prctl(2), PR_SET_TIMERSLACK).
	dozeTime = 50 * time.Microsecond

	// dozesInARow is the number of dozes after which the loop yields to other goroutines.
	dozesInARow = 16
)

// A doze is a short sleep in the kernel. It is for a loop whose sleeps are short and whose
// steps follow each other without Go's scheduler (see poll.Dozer). If such a loop parked
// instead, the runtime would look for other work and wake another thread for that. Often the
// loop would then run on the other thread, where its memory is not in the processor's cache.
//
// The system call is raw: the scheduler does not know of it. Otherwise the runtime's monitor
// would take the processor away, and the loop would have to get one back. The drawback is that
// a goroutine which waits for this processor, while all other processors are busy, keeps
// waiting. So every sixteenth doze begins with runtime.Gosched. A stop of the world is hardly
// delayed, because the runtime's preemption signal ends the system call.
type doze struct {
	epfd   int           // the poller's descriptor
	wakeup *wakeup       // ends a doze
	limit  time.Duration // dozeTime, except in tests
	count  uint          // number of dozes
	on     bool          // set by Poller.Doze
	broken bool          // epoll_pwait2 failed: the kernel lacks or forbids it

	dozing atomic.Bool // wake must signal the wakeup
}

// Doze implements [poll.Dozer]. It does nothing if [Config] has Blocking, because that poller
// always sleeps in the kernel.
func (p *Poller) Doze(on bool) {
	if n, ok := p.sleeper.(*nested); ok {
		n.doze.on = on
	}
}

// sleep dozes for d or the limit, whichever is less; d < 0 sets no limit. It reports whether
// there is something to do now: an operation is completed, or Wake was called.
//
// A Wake between the two changes of the state signals the wakeup. A later Wake finds running,
// and the loop sees it before the next sleep. Events that one call does not return stay ready
// in the kernel for the next call.
func (z *doze) sleep(p *Poller, d time.Duration) bool {
	if z.count++; z.count%dozesInARow == 0 {
		runtime.Gosched()
	}
	z.dozing.Store(true)
	defer z.dozing.Store(false)
	if !p.state.CompareAndSwap(running, waiting) {
		p.pollEvents()
		return true
	}
	limit := z.limit
	if d >= 0 {
		limit = min(d, limit)
	}
	switch n, errno := z.wait(p, limit); errno {
	case 0:
		p.dispatch(p.events[:n])
	case unix.EINTR:
	default:
		z.broken = true
	}
	woken := !p.state.CompareAndSwap(waiting, running)
	return woken || p.due()
}

// wait calls epoll_pwait2, whose timeouts are not rounded to milliseconds. The kernel writes
// only into memory of the poller, so the race detector does not need to know.
func (z *doze) wait(p *Poller, d time.Duration) (int, syscall.Errno) {
	timeout := newTimespec(d)
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(z.epfd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	return int(n), errno
}
