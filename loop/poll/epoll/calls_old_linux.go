// SPDX-License-Identifier: Apache-2.0

//go:build 386 || s390x

package epoll

import "golang.org/x/sys/unix"

// These architectures have the system calls recvfrom and sendto only since Linux 4.3, and Go
// supports older kernels (socketcall(2)).
const (
	recvCall = unix.SYS_READ
	sendCall = unix.SYS_WRITE
)
