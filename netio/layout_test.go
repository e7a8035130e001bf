// SPDX-License-Identifier: Apache-2.0

//go:build !386 && !arm && !mips && !mipsle

package netio

import (
	"testing"
	"unsafe"
)

// TestLayout: the memory that a call touches lies in as few lines of the cache as
// it can, where a word has 64 bits. Go puts a word of its own before an object of
// this size.
func TestLayout(t *testing.T) {
	const line, header = 64, 8
	var s Stream
	if size := unsafe.Sizeof(s) + header; size > 1024 {
		t.Errorf("a stream has %d bytes, and fills no allocation of 1024", size)
	}
	for _, c := range []struct {
		what   string
		offset uintptr
		until  uintptr // the end of what a call needs, from there
	}{
		{"reading", unsafe.Offsetof(s.in), unsafe.Offsetof(s.in.op) + unsafe.Offsetof(s.in.op.Private) +
			unsafe.Offsetof(s.in.op.Private.State)},
		{"writing", unsafe.Offsetof(s.out), unsafe.Offsetof(s.out.op) + unsafe.Offsetof(s.out.op.Bufs) +
			2*unsafe.Sizeof(uintptr(0))}, // but for the capacity
	} {
		first, last := (c.offset+header)/line, (c.offset+header+c.until-1)/line
		if last-first+1 > 3 {
			t.Errorf("%s touches the lines %d to %d of a stream, want 3", c.what, first, last)
		}
	}
}
