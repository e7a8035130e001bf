// SPDX-License-Identifier: Apache-2.0

package netio

import "baton/loop/poll"

const (
	firstSize = 4 << 10  // of a buffer of our own
	keptSize  = 16 << 10 // larger ones are dropped as soon as they are empty
)

// A buffer is what was read ahead: data[start:end] is still to be asked for. It
// is empty most of the time: Read with nothing in it goes straight from the kernel
// to the caller's memory. Then it has no memory, if the poller can bring the
// buffer together with the data: an idle connection costs none.
type buffer struct {
	poller   poll.Poller
	provided bool // the poller can bring buffers

	data       []byte
	lent       bool // data is the poller's, and goes back by Recycle
	start, end int
}

func (b *buffer) len() int { return b.end - b.start }

// bytes are valid until the next call.
func (b *buffer) bytes() []byte { return b.data[b.start:b.end] }

// read moves as much as fits into p.
func (b *buffer) read(p []byte) int {
	n := copy(p, b.bytes())
	b.drop(n)
	return n
}

// drop takes n bytes from the front. It does no harm after forget.
func (b *buffer) drop(n int) {
	// Close may have forgotten everything while the caller was writing it.
	b.start = min(b.start+n, b.end)
	if b.start == b.end {
		b.clear()
	}
}

// clear empties b and gives back what it does not need.
func (b *buffer) clear() {
	b.start, b.end = 0, 0
	if b.provided || len(b.data) > keptSize {
		b.replace(nil)
	}
}

// forget empties b and leaves its memory to whoever may still use it.
func (b *buffer) forget() {
	b.data, b.lent = nil, false
	b.start, b.end = 0, 0
}

// replace makes data the memory of b.
func (b *buffer) replace(data []byte) {
	if b.lent {
		b.poller.Recycle(b.data)
	}
	b.data, b.lent = data, false
}

// room returns where the next bytes go; nil asks for a buffer of the poller's.
// There is always enough of it that reading a line takes few operations, and the
// memory of b is at most four times what is in it.
func (b *buffer) room() []byte {
	switch {
	case b.end < len(b.data):
	case b.len() == 0 && b.provided:
		return nil
	case !b.lent && b.start > len(b.data)/2:
		b.end = copy(b.data, b.bytes())
		b.start = 0
	default:
		larger := make([]byte, max(firstSize, 2*b.len()))
		n := copy(larger, b.bytes())
		b.replace(larger)
		b.start, b.end = 0, n
	}
	return b.data[b.end:]
}

// add takes n bytes that were read into buf, which is what room returned or
// what the poller brought instead.
func (b *buffer) add(buf []byte, n int) {
	if b.data == nil {
		b.data, b.lent = buf, true
	}
	b.end += n
}
