// SPDX-License-Identifier: Apache-2.0

// Package ancillary reads and writes the control messages of UDP datagrams: the local address
// and the ECN mark. The pollers over a kernel share it.
package ancillary
