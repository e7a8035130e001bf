// SPDX-License-Identifier: Apache-2.0

//go:build unix

package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// Open returns a new, non-blocking, close-on-exec descriptor of the pipe, named pipe, terminal
// or other character device in f. The caller owns fd, and f stays open. If shared is true, fd
// and f share an open file, and O_NONBLOCK is set for f, too.
//
// The error is [ErrSocket] for a socket, EINVAL for another type of file, and EBADF if f was
// not opened for the direction.
func Open(f *os.File, write bool) (fd int, shared bool, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, false, os.ErrClosed // the only possible error
	}
	if outer := raw.Control(func(of uintptr) { fd, shared, err = open(int(of), write) }); outer != nil {
		return -1, false, os.ErrClosed
	}
	return fd, shared, err
}

func open(of int, write bool) (fd int, shared bool, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(of, &stat); err != nil {
		return -1, false, os.NewSyscallError("fstat", err)
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFIFO, unix.S_IFCHR:
	case unix.S_IFSOCK:
		return -1, false, ErrSocket
	case unix.S_IFREG:
		return -1, false, typeError("a regular file")
	case unix.S_IFDIR:
		return -1, false, typeError("a directory")
	default:
		return -1, false, typeError("a file of this type")
	}
	flags, err := unix.FcntlInt(uintptr(of), unix.F_GETFL, 0)
	if err != nil {
		return -1, false, os.NewSyscallError("fcntl", err)
	}
	mode := unix.O_RDONLY
	if write {
		mode = unix.O_WRONLY
	}
	if access := flags & unix.O_ACCMODE; access != mode && access != unix.O_RDWR {
		return -1, false, unix.EBADF
	}
	if fd, ok := reopen(of, mode, &stat); ok {
		return fd, false, nil
	}
	fd, err = unix.FcntlInt(uintptr(of), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		if err = unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return -1, false, os.NewSyscallError("fcntl", err)
	}
	return fd, true, nil
}

// Gone reports whether the reading end of a pipe is closed. fd is the writing end.
func Gone(fd int) (bool, error) {
	fds := [1]unix.PollFd{{Fd: int32(fd)}}
	for {
		_, err := unix.Poll(fds[:], 0)
		if err == unix.EINTR {
			continue
		}
		return fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0, os.NewSyscallError("poll", err)
	}
}
