// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

import (
	"os"

	"baton/loop"
)

// A notice tells the end of a process, for which a goroutine waits. It collects the status
// a moment before the loop knows of it. A signal to the Group in that moment could only go
// astray if the number were given to the leader of another group at once.
type notice struct {
	state *os.ProcessState // set before the notice is posted
	err   error
}

// observe has c notified of the end of the process.
func (c *child) observe() {
	c.loop.Driver().Open()
	l, process := c.loop, c.cmd.Process
	go func() {
		c.notice.state, c.notice.err = process.Wait()
		_ = l.Driver().Post(c) // the loop runs, for the guard is a task of it
	}()
}

// close is the end of the waiting.
func (n *notice) close(l *loop.Loop) { l.Driver().Shut() }

// collect returns the state of the process, which has ended.
func (n *notice) collect(*os.Process) (*os.ProcessState, error) { return n.state, n.err }
