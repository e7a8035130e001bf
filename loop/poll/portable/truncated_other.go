// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package portable

// truncated is 0, because there is no such flag. On these systems package net reports a
// datagram that was longer than the buffer as an error, or not at all.
const truncated = 0
