// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package terminal

import "golang.org/x/sys/unix"

// The requests that read and set the mode of a terminal (termios(4)).
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)
