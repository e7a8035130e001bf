// SPDX-License-Identifier: Apache-2.0

package netio

import "golang.org/x/sys/unix"

// accept makes the descriptor what it must be in one call: a child forked between two
// calls would get it.
func accept(fd int) (int, unix.Sockaddr, error) {
	return unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}
