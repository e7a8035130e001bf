// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// nested sleeps inside Go's network poller: an epoll descriptor is readable
// when it has events, so it can be a file among the runtime's own. While it
// sleeps it is a parked goroutine, no more.
//
// What the runtime watches is not the poller's own descriptor but an outer epoll
// set, of which that is the only member. A busy loop switches it off: else every
// event of its sockets would wake the thread that waits in the runtime's poller,
// for nothing.
//
// Where there is more than one processor, a short sleep may be a doze in the kernel.
type nested struct {
	doze  doze
	short bool // the last sleep was short: the next one begins with a doze

	outer int
	file  *os.File // the outer set, which it owns
	conn  syscall.RawConn
	look  func(uintptr) bool // made once, so that a sleep allocates nothing
	armed bool               // the outer set is switched on
	stale bool               // the file may have a deadline from earlier
}

// newNested takes the poller's epoll descriptor over. If that fails the
// descriptor is closed.
//
// n.look runs inside RawConn.Read, on the goroutine that sleeps: the runtime
// calls it before it parks and after each event, until it says that there is
// something.
func newNested(p *Poller) (*nested, error) {
	n := &nested{doze: doze{epfd: p.epfd, limit: dozeTime, on: true}}
	if err := n.open(); err != nil {
		n.close()
		return nil, err
	}
	n.look = func(uintptr) bool {
		p.look()
		return p.due()
	}
	return n, nil
}

// open makes what n needs. What there is when it fails close takes down.
func (n *nested) open() (err error) {
	if n.outer, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// os.NewFile asks the runtime to watch only what does not block.
	if err := unix.SetNonblock(n.outer, true); err != nil {
		unix.Close(n.outer)
		return os.NewSyscallError("fcntl", err)
	}
	n.file = os.NewFile(uintptr(n.outer), "epoll")
	if err := n.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("epoll: Go's network poller does not watch: %w", err)
	}
	if n.conn, err = n.file.SyscallConn(); err != nil {
		return err
	}
	if err := n.control(unix.EPOLL_CTL_ADD, 0); err != nil {
		return err
	}
	n.doze.bell, err = newBell(n.doze.epfd)
	return err
}

// control sets what the outer set watches the poller's descriptor for.
func (n *nested) control(action int, events uint32) error {
	event := unix.EpollEvent{Events: events}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(n.outer, action, n.doze.epfd, &event))
}

// arm switches the outer set on or off. It is level-triggered: what has come
// before it is switched on shows at once.
func (n *nested) arm(on bool) {
	if n.armed == on {
		return
	}
	n.armed = on
	events := uint32(0)
	if on {
		events = unix.EPOLLIN
	}
	if err := n.control(unix.EPOLL_CTL_MOD, events); err != nil {
		panic(fmt.Sprintf("epoll: other code has closed the poller's descriptor: %v", err))
	}
}

// awake implements sleeper.
func (n *nested) awake() { n.arm(false) }

// sleep dozes, in a loop that is one to doze, if that is likely to be enough, and
// parks for what is left of the time. A doze that no event has ended is the last
// one until a sleep turns out short again.
//
// GOMAXPROCS is asked where it costs least. If it falls to 1 while every doze is
// ended by an event, the loop dozes on; the runtime's monitor sees to the others
// then, every 10 ms.
func (n *nested) sleep(p *Poller, d time.Duration) {
	if !n.doze.on || n.doze.broken {
		n.park(p, d)
		return
	}
	began := time.Now()
	if n.short {
		n.arm(false)
		over := n.doze.sleep(p, d)
		n.short = p.finished.first != nil
		if over {
			return
		}
		if d >= 0 {
			if d -= time.Since(began); d <= 0 {
				return
			}
		}
	}
	n.park(p, d)
	n.short = p.finished.first != nil && time.Since(began) < n.doze.limit && runtime.GOMAXPROCS(0) > 1
}

// park has four steps, and their order is what loses no wake-up. First the outer
// set is switched on, if there is nothing to do yet. Then the deadline is set,
// while no Wake touches it. Then the state becomes waiting; from here on a Wake
// sets the deadline itself. Then the runtime is asked: it looks at the deadline
// and at the events (through n.look) before it parks.
//
// A Wake may be so slow between its two steps (state, deadline) that a completion
// ends this sleep first, and the deadline hits a later one. That one ends early
// with nothing to report, once.
func (n *nested) park(p *Poller, d time.Duration) {
	if !n.armed {
		if p.look(); p.due() {
			return
		}
		n.arm(true)
	}
	switch {
	case d > 0:
		n.file.SetReadDeadline(time.Now().Add(d))
		n.stale = true
	case n.stale:
		n.file.SetReadDeadline(time.Time{})
		n.stale = false
	}
	if !p.state.CompareAndSwap(running, waiting) {
		p.look()
		return
	}
	if n.conn.Read(n.look) != nil { // the deadline passed: time, or a Wake
		n.stale = true
	}
}

// rouse ends the doze, or makes the sleep's deadline pass. An error says that
// the file is closed, so that nobody sleeps.
func (n *nested) rouse() {
	if n.doze.dozing.Load() {
		n.doze.bell.ring()
	} else {
		n.file.SetReadDeadline(longAgo)
	}
}

// close implements sleeper. What open has not come to is nil.
func (n *nested) close() error {
	if n.doze.bell != nil {
		n.doze.bell.close()
	}
	if n.file != nil {
		n.file.Close()
	}
	return os.NewSyscallError("close", unix.Close(n.doze.epfd))
}
