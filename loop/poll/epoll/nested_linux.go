// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// nested sleeps inside Go's network poller: an epoll descriptor is readable
// when it has events, so it can be a file among the runtime's own. While it
// sleeps it is a parked goroutine, no more.
type nested struct {
	file *os.File
	conn syscall.RawConn
	look func(uintptr) bool // made once, so that a sleep allocates nothing

	// stale says that the file may have a deadline from earlier.
	stale bool
}

// newNested takes the poller's epoll descriptor over. If that fails the
// descriptor is closed.
//
// n.look runs inside RawConn.Read, on the goroutine that sleeps: the runtime
// calls it before it parks and after each event, until it says that there is
// something.
func newNested(p *Poller) (*nested, error) {
	// os.NewFile asks the runtime to watch only what does not block.
	if err := unix.SetNonblock(p.epfd, true); err != nil {
		unix.Close(p.epfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	n := &nested{file: os.NewFile(uintptr(p.epfd), "epoll")}
	n.look = func(uintptr) bool {
		p.look()
		return p.finished.first != nil
	}
	conn, err := n.file.SyscallConn()
	if err == nil {
		err = n.file.SetReadDeadline(time.Time{}) // fails if it is not watched
	}
	if err != nil {
		n.file.Close()
		return nil, err
	}
	n.conn = conn
	return n, nil
}

// sleep has three steps, and their order is what loses no wake-up. First the
// deadline is set, while no Wake touches it. Then the state becomes waiting;
// from here on a Wake sets the deadline itself. Then the runtime is asked: it
// looks at the deadline and at the events (through n.look) before it parks.
//
// A Wake may be so slow between its two steps (state, deadline) that a completion
// ends this sleep first, and the deadline hits a later one. That one ends early
// with nothing to report, once.
func (n *nested) sleep(p *Poller, d time.Duration) {
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

// rouse makes the sleep's deadline pass. An error says that the file is closed,
// so that nobody sleeps.
func (n *nested) rouse() { n.file.SetReadDeadline(longAgo) }

// close implements sleeper. The file owns the descriptor.
func (n *nested) close() error { return n.file.Close() }
