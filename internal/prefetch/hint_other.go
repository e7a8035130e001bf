// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package prefetch

// Line asks the processor to load the cache line of address p. Here it does nothing.
func Line(p uintptr) {}

// Goroutine asks the processor to load the g at gp and the stack around top. Here it does
// nothing.
func Goroutine(gp, top uintptr) {}
