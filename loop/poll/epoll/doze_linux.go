// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dozeTime is how long a doze lasts at most. The kernel may add its timer slack
// (prctl(2), PR_SET_TIMERSLACK), which is as much again.
const dozeTime = 50 * time.Microsecond

// A doze is a short sleep in the kernel, for a loop whose sleeps are short. To
// park instead would have the runtime look for other work, wake another thread
// to do so too, and as often as not run the loop on that one afterwards, where
// its memory is not in the cache: more than a busy server spends on a message.
//
// The scheduler is not told, for then its monitor would take the processor away
// and the loop would have to get one back. So nobody else has this processor
// meanwhile; there is another one, or nobody dozes. A stop of the world does not
// wait for it: the signal by which the runtime asks for the processor ends the
// system call.
type doze struct {
	epfd int   // the poller's
	bell *bell // ends the doze

	short  bool        // the last sleep was short: the next one begins with a doze
	dozing atomic.Bool // rouse is to ring the bell
}

// sleep dozes for d or dozeTime, whichever is less (d < 0 sets no limit), and
// reports whether there is something to do now. If there is not, this was the
// last doze until a sleep turns out short again.
//
// A Wake between the two changes of the state rings; a later one finds running,
// and is seen before the next sleep.
func (z *doze) sleep(p *Poller, d time.Duration) bool {
	z.dozing.Store(true)
	defer z.dozing.Store(false)
	if !p.state.CompareAndSwap(running, waiting) {
		p.look()
		return true
	}
	limit := dozeTime
	if d >= 0 {
		limit = min(d, limit)
	}
	if n, errno := z.wait(p, limit); errno == 0 {
		p.dispatch(p.events[:n])
	}
	woken := !p.state.CompareAndSwap(waiting, running)
	z.short = p.finished.first != nil
	return woken || z.short
}

// wait is epoll_pwait2 (Linux 5.11), whose timeouts are not rounded to
// milliseconds. The kernel writes into memory of the poller, which the race
// detector need not see.
func (z *doze) wait(p *Poller, d time.Duration) (int, syscall.Errno) {
	limit := unix.NsecToTimespec(int64(d))
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(z.epfd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&limit)), 0, 0)
	return int(n), errno
}
