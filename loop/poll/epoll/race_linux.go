// SPDX-License-Identifier: Apache-2.0

//go:build race

package epoll

import (
	"runtime"
	"unsafe"
)

// kernelWrote reports to the race detector that a system call has written to buf. The race
// detector does not see system calls. buf is not empty.
func kernelWrote(buf []byte) {
	runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(buf)), len(buf))
}

// kernelRead reports that a system call has read from buf.
func kernelRead(buf []byte) {
	runtime.RaceReadRange(unsafe.Pointer(unsafe.SliceData(buf)), len(buf))
}
