// SPDX-License-Identifier: Apache-2.0

// Package multicast sets the options of UDP sockets that are about groups. The
// pollers over a kernel share it. Errors are *os.SyscallError.
package multicast
