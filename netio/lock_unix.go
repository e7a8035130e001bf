// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package netio

import (
	"os"
	"syscall"
)

// lockFile creates and locks the file at path; unlock removes it. It does not wait: if
// another listener has the lock, it fails with EADDRINUSE. The kernel releases the lock
// when the process dies.
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

// isAt reports whether path is still the name of f. If not, another listener had the lock
// after f was opened, and has removed the file.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}
