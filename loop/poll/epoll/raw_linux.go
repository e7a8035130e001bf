// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawBytes is up to where reads and writes are raw system calls, of which the
// scheduler is not told. On a socket that does not block they take a few
// microseconds; what telling costs is not so much its 90 ns as the runtime's
// monitor, which sees a loop of such calls as a thread that keeps blocking, stays
// awake for it, and takes the processor away in the middle: twice the context
// switches of an echo server. A longer copy would hold up a stop of the world,
// so it is announced.
const rawBytes = 16 << 10

// recv reads what is there. EINTR is the caller's.
//
// The buffer stays where it is during the call: only goroutines' stacks move, and
// no stack moves in the middle of a system call of its own goroutine.
func (s *socket) recv(buf []byte) (int, error) {
	call := uintptr(recvCall)
	if s.file {
		call = unix.SYS_READ // has three arguments, and no flags
	}
	var n uintptr
	var errno syscall.Errno
	if len(buf) > rawBytes {
		n, _, errno = syscall.Syscall6(call, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	} else {
		n, _, errno = syscall.RawSyscall6(call, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	if n > 0 {
		kernelWrote(buf[:n])
	}
	return int(n), nil
}

// send writes what the kernel takes of buf, which is not empty. Like write, and
// package net, it asks for no silence about a broken connection: the runtime
// ignores SIGPIPE, unless the program wants to know of it.
func (s *socket) send(buf []byte) (int, error) {
	call := uintptr(sendCall)
	if s.file {
		call = unix.SYS_WRITE
	}
	kernelRead(buf)
	var n uintptr
	var errno syscall.Errno
	if len(buf) > rawBytes {
		n, _, errno = syscall.Syscall6(call, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	} else {
		n, _, errno = syscall.RawSyscall6(call, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
