// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"errors"
	"syscall"
)

// Without these options, the kernel lets the buffers of a connection grow, as far as the
// administrator allows.
func init() {
	const size = 128 << 10 // the kernel doubles it
	shrink = func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, size),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size))
		})
		return errors.Join(failed, err)
	}
}
