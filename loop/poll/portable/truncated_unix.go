// SPDX-License-Identifier: Apache-2.0

//go:build unix

package portable

import "syscall"

// truncated is the kernel's flag for a datagram that was longer than the buffer.
const truncated = syscall.MSG_TRUNC
