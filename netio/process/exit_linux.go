// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll"
)

// An exitNotice reports the end of a process. The pidfd of the process becomes readable then
// (pidfd_open(2)), and the poller waits for that. Where that is not possible, a goroutine
// waits.
type exitNotice struct {
	op     poll.Op
	handle poll.Handle // nil if a goroutine waits
	pidfd  int
}

// observe arranges that the loop calls c.Complete or c.Wake at the end of the process.
func (c *child) observe() {
	n := &c.notice
	if n.adopt(c.loop.Poller(), c.cmd.Process) {
		n.op = poll.Op{Kind: poll.Readable, Handle: n.handle, Owner: c}
		if c.loop.Driver().Submit(&n.op) {
			c.end()
		}
		return
	}
	c.loop.Driver().Open()
	l, pid := c.loop, c.cmd.Process.Pid
	go func() {
		awaitZombie(pid)
		_ = l.Driver().Post(c) // cannot fail: a task of the loop waits for c
	}()
}

// adopt gives the poller a duplicate of the pidfd of process. It reports whether the poller
// and package os support that.
func (n *exitNotice) adopt(p poll.Poller, process *os.Process) bool {
	if !p.Caps().Has(poll.Adopts | poll.Readiness) {
		return false
	}
	var fd int
	var err error
	duplicate := func(h uintptr) { fd, err = unix.FcntlInt(h, unix.F_DUPFD_CLOEXEC, 0) }
	if process.WithHandle(duplicate) != nil || err != nil {
		return false
	}
	h, err := p.Adopt(uintptr(fd))
	if err != nil {
		unix.Close(fd)
		return false
	}
	n.handle, n.pidfd = h, fd
	return true
}

// awaitZombie blocks until a child has ended. It does not reap the child, so the number still
// belongs to it.
func awaitZombie(pid int) {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return // also after an error: collect returns it
		}
	}
}

// close releases what observe has taken.
func (n *exitNotice) close(l *loop.Loop) {
	if n.handle == nil {
		l.Driver().Shut()
		return
	}
	_ = n.handle.Close()
	unix.Close(n.pidfd)
}

// collect reaps the process, which has ended, and returns its state.
func (*exitNotice) collect(p *os.Process) (*os.ProcessState, error) { return p.Wait() }
