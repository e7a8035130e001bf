// SPDX-License-Identifier: Apache-2.0

//go:build !386 && !arm && !mips && !mipsle

package netio

import (
	"testing"
	"unsafe"
)

// The memory that a call uses lies in as few cache lines as possible on 64-bit systems. Go puts a
// word of its own before an object of this size.
func TestLayout(t *testing.T) {
	const line, header = 64, 8
	var s Stream
	if size := unsafe.Sizeof(s) + header; size > 1024 {
		t.Errorf("a stream with its header has %d bytes, more than an allocation of 1024", size)
	}
	for _, c := range []struct {
		what   string
		offset uintptr
		until  uintptr // the size of what a call needs, from offset
	}{
		{"reading", unsafe.Offsetof(s.in), unsafe.Offsetof(s.in.op) + unsafe.Offsetof(s.in.op.Private) +
			unsafe.Offsetof(s.in.op.Private.State)},
		{"writing", unsafe.Offsetof(s.out), unsafe.Offsetof(s.out.op) + unsafe.Offsetof(s.out.op.Bufs) +
			2*unsafe.Sizeof(uintptr(0))}, // without the capacity
	} {
		first, last := (c.offset+header)/line, (c.offset+header+c.until-1)/line
		if last-first+1 > 3 {
			t.Errorf("%s uses the cache lines %d to %d of a stream, want 3", c.what, first, last)
		}
	}
}
