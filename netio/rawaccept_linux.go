// SPDX-License-Identifier: Apache-2.0

package netio

import "golang.org/x/sys/unix"

// accept accepts and sets the flags of the descriptor in one call: a child that is forked
// between two calls would inherit it.
func accept(fd int) (int, unix.Sockaddr, error) {
	return unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}
