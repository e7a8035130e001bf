// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package portable

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reusePort allows c to share its address with other sockets that allow it.
func reusePort(c syscall.RawConn) error {
	var err error
	if outer := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); outer != nil {
		return outer
	}
	return os.NewSyscallError("setsockopt", err)
}
