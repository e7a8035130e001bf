// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package portable

import "golang.org/x/sys/unix"

// isListening reports whether a socket of package net listens.
func isListening(socket any) bool {
	on := 0
	_ = control(socket, false, func(fd uintptr) {
		on, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	})
	return on != 0
}
