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

// longAgo is a deadline in the past.
var longAgo = time.Unix(1, 0)

// nested is the sleeper that waits inside Go's network poller. An epoll descriptor is readable
// when it has events, so the runtime can watch it like any other file. A sleeping loop is only
// a parked goroutine.
//
// The runtime watches an outer epoll set, whose only member is the poller's descriptor. A busy
// loop switches the outer set off. Otherwise every event of its sockets would wake the thread
// that waits in the runtime's poller, for nothing.
//
// If there is more than one processor, a short sleep may be a doze in the kernel.
type nested struct {
	doze  doze
	short bool // the last sleep was short, so the next one begins with a doze

	outer int
	file  *os.File // owns the outer set
	conn  syscall.RawConn
	ready func(uintptr) bool // allocated once, so that a sleep allocates nothing
	armed bool               // the outer set watches the poller's descriptor
	stale bool               // the file may have an old deadline
}

// newNested takes ownership of the poller's epoll descriptor. If newNested fails, it closes the
// descriptor.
//
// RawConn.Read calls n.ready on the goroutine that sleeps: before it parks and after each
// event, until ready returns true.
func newNested(p *Poller) (*nested, error) {
	n := &nested{doze: doze{epfd: p.epfd, limit: dozeTime, on: true}}
	if err := n.open(); err != nil {
		n.close()
		return nil, err
	}
	n.ready = func(uintptr) bool {
		p.pollEvents()
		return p.due()
	}
	return n, nil
}

// open creates the outer set and the wakeup. If open fails, the caller calls close.
func (n *nested) open() (err error) {
	if n.outer, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// os.NewFile registers only non-blocking descriptors with the runtime's poller.
	if err := unix.SetNonblock(n.outer, true); err != nil {
		unix.Close(n.outer)
		return os.NewSyscallError("fcntl", err)
	}
	n.file = os.NewFile(uintptr(n.outer), "epoll")
	if err := n.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("epoll: Go's network poller cannot watch an epoll descriptor on this kernel: %w", err)
	}
	if n.conn, err = n.file.SyscallConn(); err != nil {
		return err
	}
	if err := n.control(unix.EPOLL_CTL_ADD, 0); err != nil {
		return err
	}
	n.doze.wakeup, err = newWakeup(n.doze.epfd)
	return err
}

// control sets the events for which the outer set watches the poller's descriptor.
func (n *nested) control(action int, events uint32) error {
	event := unix.EpollEvent{Events: events}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(n.outer, action, n.doze.epfd, &event))
}

// arm switches the outer set on or off. The outer set is level-triggered, so events that came
// before it is switched on are visible at once.
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
		panic(fmt.Sprintf("epoll: the poller's epoll descriptor does not work: %v; other code has closed it, find that code", err))
	}
}

// skip implements sleeper.
func (n *nested) skip() { n.arm(false) }

// sleep implements sleeper. If dozing is on and the last sleep was short, it dozes first. Then
// it parks for the rest of the time. After a doze that no event has ended, sleep does not doze
// again until a sleep was short.
//
// GOMAXPROCS is read only after a park, where the cost matters least. If GOMAXPROCS falls to 1
// while an event ends every doze, the loop continues to doze. Then the runtime's monitor lets
// the other goroutines run, every 10 ms.
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

// park sleeps in the runtime's network poller. The order of its four steps guarantees that no
// Wake is lost:
//
//   - It switches the outer set on, if there is nothing to do yet.
//   - It sets the deadline. No Wake changes the deadline before the next step.
//   - It sets the state to waiting. From here on a Wake sets the deadline itself.
//   - It calls RawConn.Read, which checks the deadline and the events (through n.ready)
//     before it parks.
//
// A Wake has two steps, too: it changes the state and sets the deadline. If a completion ends
// this sleep between them, the deadline ends a later sleep early, once, with nothing to report.
func (n *nested) park(p *Poller, d time.Duration) {
	if !n.armed {
		if p.pollEvents(); p.due() {
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
		p.pollEvents()
		return
	}
	if n.conn.Read(n.ready) != nil { // the deadline has passed, or Wake moved it
		n.stale = true
	}
}

// wake implements sleeper. It ends the doze, or moves the deadline of the sleep into the past.
// If that fails the file is closed, so the loop does not sleep.
func (n *nested) wake() {
	if n.doze.dozing.Load() {
		n.doze.wakeup.signal()
	} else {
		n.file.SetReadDeadline(longAgo)
	}
}

// close implements sleeper. Fields that open has not set are nil.
func (n *nested) close() error {
	if n.doze.wakeup != nil {
		n.doze.wakeup.close()
	}
	if n.file != nil {
		n.file.Close()
	}
	return os.NewSyscallError("close", unix.Close(n.doze.epfd))
}
