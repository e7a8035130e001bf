// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// terminate is Kill: there is no way to ask.
var terminate = os.Kill

// attributes returns the SysProcAttr. There are no process groups.
func (c *Cmd) attributes() (*syscall.SysProcAttr, error) {
	if c.Group {
		return nil, fmt.Errorf("process: process groups: %w", errors.ErrUnsupported)
	}
	return c.SysProcAttr, nil
}

func signalGroup(int, os.Signal) error { return errors.ErrUnsupported }
