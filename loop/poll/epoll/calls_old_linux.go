// SPDX-License-Identifier: Apache-2.0

//go:build 386 || s390x

package epoll

import "golang.org/x/sys/unix"

// These systems have had recvfrom and sendto as calls of their own only since
// Linux 4.3, which is more than Go asks for (socketcall(2)).
const (
	recvCall = unix.SYS_READ
	sendCall = unix.SYS_WRITE
)
