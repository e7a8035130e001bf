// SPDX-License-Identifier: Apache-2.0

package file

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// readNow reads what is in the memory of the kernel, starting at offset. If offset is -1, it
// reads at the offset of the file and moves it. It returns 0 and nil if the kernel would have to
// wait, cannot say, or fails; the call in the executor then finds the same error. It uses
// RWF_NOWAIT of preadv2(2).
func (h *hostFile) readNow(p []byte, offset int64) (n int, err error) {
	if h.conn == nil || h.slow.Load() {
		return 0, nil
	}
	outer := h.conn.Control(func(fd uintptr) { n, err = unix.Preadv2(int(fd), [][]byte{p}, offset, unix.RWF_NOWAIT) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		h.slow.Store(true)
	}
	switch {
	case outer != nil || err != nil:
		return 0, nil
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// newHostFile returns the handle of f.
func newHostFile(f *os.File) *hostFile {
	conn, _ := f.SyscallConn() // fails for a nil file; then everything runs in the executor
	return &hostFile{f: f, conn: conn}
}
