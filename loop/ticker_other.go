// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package loop

func newTicker() ticker { return newGoTicker() }
