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
	// dozeTime is how long a doze lasts at most. The kernel may add its timer
	// slack (prctl(2), PR_SET_TIMERSLACK), which is as much again.
	dozeTime = 50 * time.Microsecond

	// dozesInARow is after how many dozes others have their turn.
	dozesInARow = 16
)

// A doze is a short sleep in the kernel, for a loop whose sleeps are short, and
// whose steps follow each other without Go's scheduler (see poll.Dozer). To park
// instead would have the runtime look for other work, wake another thread to do
// so too, and as often as not run the loop on that one afterwards, where its
// memory is not in the cache.
//
// The scheduler is not told, for then its monitor would take the processor away
// and the loop would have to get one back. So a goroutine that waits for this
// processor, while all others are busy, waits on; that is why every sixteenth
// doze begins by giving way. A stop of the world hardly waits: the signal by which
// the runtime asks for the processor ends the system call.
type doze struct {
	epfd   int           // the poller's
	bell   *bell         // ends a doze
	limit  time.Duration // dozeTime, but for tests
	count  uint          // of dozes
	on     bool          // the loop is one to doze
	broken bool          // the kernel has no epoll_pwait2, or does not let us

	dozing atomic.Bool // rouse is to ring the bell
}

// Doze implements [poll.Dozer]. A poller that blocks sleeps in the kernel anyway.
func (p *Poller) Doze(on bool) {
	if n, ok := p.sleeper.(*nested); ok {
		n.doze.on = on
	}
}

// sleep dozes for d or the limit, whichever is less (d < 0 sets no limit). It
// reports whether there is something to do now: an operation is finished, or a
// Wake has come.
//
// A Wake between the two changes of the state rings; a later one finds running,
// and is seen before the next sleep. What one call has not handed out stays ready
// in the kernel, for the next.
func (z *doze) sleep(p *Poller, d time.Duration) bool {
	if z.count++; z.count%dozesInARow == 0 {
		runtime.Gosched()
	}
	z.dozing.Store(true)
	defer z.dozing.Store(false)
	if !p.state.CompareAndSwap(running, waiting) {
		p.look()
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

// wait is epoll_pwait2, whose timeouts are not rounded to milliseconds. The
// kernel writes into memory of the poller, which the race detector need not see.
func (z *doze) wait(p *Poller, d time.Duration) (int, syscall.Errno) {
	timeout := newTimespec(d)
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(z.epfd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	return int(n), errno
}
