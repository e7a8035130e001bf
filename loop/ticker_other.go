// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package loop

// newTicker returns a stopped ticker.
func newTicker() ticker { return newGoTicker() }
