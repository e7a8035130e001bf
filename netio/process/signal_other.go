// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// terminate is the signal of Terminate. This system has only Kill.
var terminate = os.Kill

// attributes returns the SysProcAttr of the child. This system has no process groups.
func (c *Cmd) attributes() (*syscall.SysProcAttr, error) {
	if c.Group {
		return nil, fmt.Errorf("process: process groups: %w", errors.ErrUnsupported)
	}
	return c.SysProcAttr, nil
}

func signalGroup(int, os.Signal) error { return errors.ErrUnsupported }
