// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// terminate is the signal of Terminate.
const terminate = syscall.SIGTERM

// attributes returns the SysProcAttr of the child, with a new process group if Group is set.
func (c *Cmd) attributes() (*syscall.SysProcAttr, error) {
	if !c.Group || c.SysProcAttr != nil && c.SysProcAttr.Setsid { // a new session is a new group
		return c.SysProcAttr, nil
	}
	attr := &syscall.SysProcAttr{}
	if c.SysProcAttr != nil {
		*attr = *c.SysProcAttr
	}
	attr.Setpgid, attr.Pgid = true, 0
	return attr, nil
}

// signalGroup sends a signal to the process group of leader, a process that was not reaped.
func signalGroup(leader int, sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("process: signal %v: %w", sig, errors.ErrUnsupported)
	}
	switch err := syscall.Kill(-leader, number); err {
	case syscall.ESRCH:
		return os.ErrProcessDone
	default:
		return os.NewSyscallError("kill", err)
	}
}
