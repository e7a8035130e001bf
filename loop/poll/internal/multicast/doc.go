// SPDX-License-Identifier: Apache-2.0

// Package multicast sets the multicast options of UDP sockets. The pollers over a kernel share
// it. Errors are *os.SyscallError.
package multicast
