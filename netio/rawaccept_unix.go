// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package netio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// accept accepts and sets the flags of the descriptor in several calls. ForkLock keeps this
// process from forking between them.
func accept(fd int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	conn, from, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(conn)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, nil, err
	}
	if err := unix.SetNonblock(conn, true); err != nil {
		unix.Close(conn)
		return -1, nil, err
	}
	return conn, from, nil
}
