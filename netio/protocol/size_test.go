// SPDX-License-Identifier: Apache-2.0

//go:build !386 && !arm && !mips && !mipsle

package protocol

import (
	"testing"
	"unsafe"
)

// TestSizeOfATransport checks the memory of an idle connection: its transport, its protocol, the
// handle of the poller, and two addresses. The transport fills an allocation of 512 bytes, which
// includes a word that Go puts before the object.
func TestSizeOfATransport(t *testing.T) {
	if size := unsafe.Sizeof(Transport{}) + 8; size > 512 {
		t.Errorf("a transport has %d bytes; its allocation is larger than 512", size)
	}
}
