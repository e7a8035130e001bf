// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawBytes is up to where read and write are raw system calls, of which the
// scheduler is not told. On a socket that does not block they take a few
// microseconds; what telling costs is not so much its 90 ns as the runtime's
// monitor, which sees a loop of such calls as a thread that keeps blocking, stays
// awake for it, and takes the processor away in the middle: twice the context
// switches of an echo server. A longer copy would hold up a stop of the world,
// so it is announced.
const rawBytes = 16 << 10

// rawRead is unix.Read for a descriptor that does not block. EINTR is the
// caller's. The buffer stays where it is during the call: only goroutines'
// stacks move, and no stack moves in the middle of a system call of its own
// goroutine.
func rawRead(fd int, buf []byte) (int, error) {
	if len(buf) > rawBytes {
		return unix.Read(fd, buf)
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_READ, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	if n > 0 {
		// For the race detector, which does not see the kernel write.
		first, last := buf[0], buf[n-1]
		buf[0], buf[n-1] = first, last
	}
	return int(n), nil
}

// rawWrite is unix.Write for a descriptor that does not block. buf is not
// empty.
func (p *Poller) rawWrite(fd int, buf []byte) (int, error) {
	if len(buf) > rawBytes {
		return unix.Write(fd, buf)
	}
	p.seen = buf[0] ^ buf[len(buf)-1] // for the race detector, which does not see the kernel read
	n, _, errno := syscall.RawSyscall6(unix.SYS_WRITE, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
