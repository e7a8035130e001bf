// SPDX-License-Identifier: Apache-2.0

//go:build !386 && !arm && !mips && !mipsle

package protocol

import (
	"testing"
	"unsafe"
)

// TestLayout: an idle connection is its transport and its protocol, the handle of the
// poller, and two addresses. The transport fills an allocation of 512 bytes, where Go puts
// a word of its own before the object.
func TestLayout(t *testing.T) {
	if size := unsafe.Sizeof(Transport{}) + 8; size > 512 {
		t.Errorf("a transport has %d bytes, and its allocation more than 512", size)
	}
}
