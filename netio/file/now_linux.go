// SPDX-License-Identifier: Apache-2.0

package file

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// readNow reads what is in the memory of the kernel, from the offset on, or from that of the
// file, which moves, if it is -1. It reports false if the kernel would have to wait, cannot
// tell, or has an error, which the call in the executor finds then (RWF_NOWAIT of
// preadv2(2)).
func (h *hostFile) readNow(p []byte, offset int64) (n int, ok bool) {
	if h.conn == nil || h.slow.Load() {
		return 0, false
	}
	var err error
	outer := h.conn.Control(func(fd uintptr) { n, err = unix.Preadv2(int(fd), [][]byte{p}, offset, unix.RWF_NOWAIT) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		h.slow.Store(true)
	}
	return n, outer == nil && err == nil
}

// newHostFile returns the handle of f.
func newHostFile(f *os.File) *hostFile {
	conn, _ := f.SyscallConn() // without one, as of a nil file, all is done in the executor
	return &hostFile{f: f, conn: conn}
}
