// SPDX-License-Identifier: Apache-2.0

// Package pipe opens ends of pipes, and terminals, for pollers.
package pipe

import (
	"errors"
	"syscall"
)

// ErrSocket is the error of Open about a socket.
var ErrSocket = errors.New("it is a socket")

// A sortError says which sort of file cannot be used as a pipe. It is EINVAL.
type sortError string

func (e sortError) Error() string { return string(e) + " is no pipe, terminal or socket" }

func (sortError) Unwrap() error { return syscall.EINVAL }
