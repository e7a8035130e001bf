// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package netio

import (
	"os"
	"syscall"
)

// lockFile makes and locks the file at path, which unlock removes. It does not wait:
// it fails with EADDRINUSE if another listener has the lock. The kernel releases the
// lock of a process that dies.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !isAt(f, path) {
		f.Close()
		return nil, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	return func() {
		os.Remove(path)
		f.Close()
	}, nil
}

// isAt reports whether path still is the name of f. If it is not, another listener
// had the lock after f was opened, and has removed the file.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}
