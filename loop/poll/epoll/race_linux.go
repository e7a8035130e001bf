// SPDX-License-Identifier: Apache-2.0

//go:build race

package epoll

import (
	"runtime"
	"unsafe"
)

// kernelWrote and kernelRead tell the race detector, which does not see into
// the kernel, what a system call has done with memory. buf is not empty.
func kernelWrote(buf []byte) {
	runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(buf)), len(buf))
}

func kernelRead(buf []byte) {
	runtime.RaceReadRange(unsafe.Pointer(unsafe.SliceData(buf)), len(buf))
}
