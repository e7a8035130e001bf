// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"os"

	"golang.org/x/sys/unix"
)

// filesPass reports that this system passes files over UNIX sockets.
const filesPass = true

// mostFiles is how many files one message may contain (SCM_MAX_FD, unix(7)).
const mostFiles = 253

// sendFiles makes one system call, which sends p and files. The caller handles EAGAIN.
func sendFiles(fd int, p []byte, files []*os.File) (n int, err error) {
	outer := withDescriptors(files, nil, func(fds []int) {
		var rights []byte
		if len(fds) > 0 {
			rights = unix.UnixRights(fds...)
		}
		n, err = unix.SendmsgN(fd, p, rights, nil, 0)
		for err == unix.EINTR {
			n, err = unix.SendmsgN(fd, p, rights, nil, 0)
		}
	})
	if outer != nil {
		return 0, outer
	}
	if err != nil {
		return 0, os.NewSyscallError("sendmsg", err)
	}
	return n, nil
}

// withDescriptors calls fn with fds and the descriptors of files. Until fn returns, no
// descriptor is closed, so its number cannot belong to another file.
func withDescriptors(files []*os.File, fds []int, fn func(fds []int)) error {
	if len(files) == 0 {
		fn(fds)
		return nil
	}
	raw, err := files[0].SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if raw.Control(func(fd uintptr) { inner = withDescriptors(files[1:], append(fds, int(fd)), fn) }) != nil {
		return os.ErrClosed // there is no other error
	}
	return inner
}

// receiveFiles makes one system call, and returns the received descriptors as files with
// the given name. lost reports whether some could not be taken. The caller handles EAGAIN.
func receiveFiles(fd int, p []byte, max int, name string) (n int, files []*os.File, lost bool, err error) {
	// The credentials come first, if the user has requested them. Without them there is
	// space for more than max files.
	control := make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*min(max, mostFiles)))
	n, size, flags, _, err := unix.Recvmsg(fd, p, control, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, size, flags, _, err = unix.Recvmsg(fd, p, control, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return 0, nil, false, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:size])
	if err != nil {
		return n, nil, true, os.NewSyscallError("recvmsg", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), name))
		}
	}
	return n, files, flags&unix.MSG_CTRUNC != 0 || len(files) > max, nil
}
