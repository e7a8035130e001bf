// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package ancillary

import "net/netip"

// Supported reports whether this package works on this system.
const Supported = false

// Size is the size of the control messages of one datagram.
const Size = 0

// Enable does nothing.
func Enable(fd int, v4 bool) error { return nil }

// Parse returns the zero values.
func Parse(control []byte) (local netip.Addr, ecn uint8) { return netip.Addr{}, 0 }

// Write panics. It must not be called if Supported is false.
func Write(control []byte, v4 bool, local netip.Addr, ecn uint8) int {
	panic("ancillary: Write is not available on this system; check Supported first")
}
