// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package prefetch

// Line hints at the cache line of address p.
func Line(p uintptr) {}

// Goroutine hints at the g at gp and at the stack around top, its top when it
// parked.
func Goroutine(gp, top uintptr) {}
