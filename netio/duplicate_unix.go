// SPDX-License-Identifier: Apache-2.0

//go:build unix

package netio

import (
	"os"

	"golang.org/x/sys/unix"
)

// duplicate returns a duplicate of fd as a file that no child inherits. Package os does not
// change O_NONBLOCK, which fd and the duplicate share: os.NewFile leaves it as it is, and
// Fd of the file as well. Fd of a file that package net has made clears it.
func duplicate(fd uintptr, name string) (*os.File, error) {
	d, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(d), name), nil
}
