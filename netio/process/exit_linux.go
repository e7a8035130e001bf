// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"

	"golang.org/x/sys/unix"

	"baton/loop"
	"baton/loop/poll"
)

// A notice tells the end of a process: its pidfd becomes readable (pidfd_open(2)), and
// the poller waits for that. Where that is not possible, a goroutine waits.
type notice struct {
	op     poll.Op
	handle poll.Handle // nil if a goroutine waits
	pidfd  int
}

// observe has c notified of the end of the process.
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
		_ = l.Driver().Post(c) // the loop runs, for the guard is a task of it
	}()
}

// adopt gives the poller a duplicate of the pidfd that package os has, if both can do that.
func (n *notice) adopt(p poll.Poller, process *os.Process) bool {
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

// awaitZombie waits for the end of a child, and leaves its state to be collected. So the
// number remains its own.
func awaitZombie(pid int) {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return // an error, too: collect has the same one
		}
	}
}

// close is the end of the waiting.
func (n *notice) close(l *loop.Loop) {
	if n.handle == nil {
		l.Driver().Shut()
		return
	}
	_ = n.handle.Close()
	unix.Close(n.pidfd)
}

// collect returns the state of the process, which has ended.
func (*notice) collect(p *os.Process) (*os.ProcessState, error) { return p.Wait() }
