// SPDX-License-Identifier: Apache-2.0

// Package ancillary reads and writes what the kernel says and takes beside the bytes of
// a UDP datagram: the address of this end, and the mark for congestion. The pollers over
// a kernel share it.
package ancillary
