// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

import (
	"os"

	"baton/loop"
)

// An exitNotice reports the end of a process. A goroutine waits for the process and reaps it,
// a moment before the loop knows of the end. In that moment a signal to the Group could reach
// other processes. That needs a system that gives the number to another group at once.
type exitNotice struct {
	state *os.ProcessState // set before Post, as is err
	err   error
}

// observe arranges that the loop calls c.Wake at the end of the process.
func (c *child) observe() {
	c.loop.Driver().Open()
	l, process := c.loop, c.cmd.Process
	go func() {
		c.notice.state, c.notice.err = process.Wait()
		_ = l.Driver().Post(c) // cannot fail: a task of the loop waits for c
	}()
}

// close releases what observe has taken.
func (n *exitNotice) close(l *loop.Loop) { l.Driver().Shut() }

// collect returns the state of the process, which the goroutine has reaped.
func (n *exitNotice) collect(*os.Process) (*os.ProcessState, error) { return n.state, n.err }
