// SPDX-License-Identifier: Apache-2.0

package terminal

import "golang.org/x/sys/unix"

// The requests that read and set the mode of a terminal (ioctl_tty(2)).
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)
