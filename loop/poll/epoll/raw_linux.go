// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawBytes is the largest read or write that is a raw system call, about which the scheduler is
// not notified. On a non-blocking socket such a call takes a few microseconds. The 90 ns of the
// notification matter less than the runtime's monitor: it takes a loop of notified calls for a
// thread that keeps blocking, stays skip for it, and takes its processor away in the middle.
// That doubles the context switches of an echo server. A longer copy is notified, because it
// would delay a stop of the world.
const rawBytes = 16 << 10

// recv makes one read. The caller handles EINTR.
//
// The buffer does not move during the call: only stacks move, and the runtime does not move the
// stack of a goroutine during its system call.
func (s *socket) recv(buf []byte) (int, error) {
	call := uintptr(recvCall)
	if s.file {
		call = unix.SYS_READ // takes three arguments and no flags
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

// send makes one write of buf, which is not empty. Like package net, it does not set
// MSG_NOSIGNAL: the runtime ignores SIGPIPE unless the program asks for it.
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
