// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package ancillary

import "net/netip"

// Supported reports whether this package works on this system.
const Supported = false

// Size is the room that the control messages of a datagram need.
const Size = 0

// Enable does nothing.
func Enable(fd int, v4 bool) error { return nil }

// Parse knows nothing.
func Parse(control []byte) (local netip.Addr, ecn uint8) { return netip.Addr{}, 0 }

// Write must not be called.
func Write(control []byte, v4 bool, local netip.Addr, ecn uint8) int {
	panic("ancillary: Write on a system without it")
}
