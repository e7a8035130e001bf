// SPDX-License-Identifier: Apache-2.0

// Package pipe opens the ends of pipes, and terminals, for pollers.
package pipe

import (
	"errors"
	"syscall"
)

// ErrSocket is the error of Open for a socket.
var ErrSocket = errors.New("pipe: the file is a socket")

// A typeError names the type of a file that Open does not support. It is EINVAL.
type typeError string

func (e typeError) Error() string {
	return string(e) + " cannot be opened as a pipe; use a pipe, terminal or socket"
}

func (typeError) Unwrap() error { return syscall.EINVAL }
