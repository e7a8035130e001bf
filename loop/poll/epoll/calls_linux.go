// SPDX-License-Identifier: Apache-2.0

//go:build !386 && !s390x

package epoll

import "golang.org/x/sys/unix"

// recvCall and sendCall are the system calls that read and write a socket that the poller
// opened. They skip work that read and write do for files.
const (
	recvCall = unix.SYS_RECVFROM
	sendCall = unix.SYS_SENDTO
)
