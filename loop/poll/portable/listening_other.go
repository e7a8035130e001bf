// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package portable

// isListening returns false. On these systems package net cannot import sockets.
func isListening(any) bool { return false }
