// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package portable

// truncated is no flag: package net reports a datagram that was cut off as an error
// on this system, or not at all.
const truncated = 0
