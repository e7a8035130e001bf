// SPDX-License-Identifier: Apache-2.0

//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// duplicate returns a file with its own descriptor. It shares the offset with f.
func duplicate(f *os.File) (*os.File, error) {
	fd := -1
	err := control(f, func(of int) (err error) {
		fd, err = unix.FcntlInt(uintptr(of), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// control calls fn with the descriptor of f, and keeps the descriptor open during the call.
func control(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if outer := conn.Control(func(fd uintptr) { err = fn(int(fd)) }); outer != nil {
		return outer
	}
	return err
}
