// SPDX-License-Identifier: Apache-2.0

//go:build !386 && !s390x

package epoll

import "golang.org/x/sys/unix"

// The calls that read and write a socket of the poller's own. They leave out what
// read and write do for files.
const (
	recvCall = unix.SYS_RECVFROM
	sendCall = unix.SYS_SENDTO
)
