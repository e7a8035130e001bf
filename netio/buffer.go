// SPDX-License-Identifier: Apache-2.0

package netio

const (
	// firstSize is that of a buffer of our own, in bytes: a page, which holds a line
	// of most protocols.
	firstSize = 4 << 10

	// keptSize is the largest buffer that an idle stream keeps, in bytes. One long
	// line would otherwise cost its memory for as long as the connection lives.
	keptSize = 16 << 10

	// bulkSize is up to where a buffer grows because reads fill it, in bytes. The
	// poller's own buffers grow in the same way, and a little further.
	bulkSize = 64 << 10
)

// A buffer is what was read ahead: data[start:end] is still to be asked for. It
// is empty most of the time: Read with nothing in it goes straight from the kernel
// to the caller's memory. Then it has no memory, if the poller can bring the
// buffer together with the data, or if there is TLS: an idle connection costs none.
//
// It belongs to its stream, and nothing in it switches or fails. How much it may
// hold is for its user to decide: it grows as long as room is called.
type buffer struct {
	start, end int
	data       []byte
	lent       bool // data is the lender's, and goes back by Recycle
	full       bool // the last read filled data, or at least its second half

	provided bool // the lender can bring buffers
	lender   lender
}

// A lender brings buffers together with the data: the poller, or TLS.
type lender interface {
	Recycle(buf []byte)
}

// len is how many bytes are still to be asked for.
func (b *buffer) len() int { return b.end - b.start }

// bytes are those that are still to be asked for, in b's own memory: they are
// valid until the next call of b.
func (b *buffer) bytes() []byte { return b.data[b.start:b.end] }

// read moves as much as fits into p, and returns how many bytes that was.
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

// forget empties b without giving back what is lent: a Write of another stream may
// still use that memory, and the poller would lend it again.
func (b *buffer) forget() {
	b.data, b.lent = nil, false
	b.start, b.end = 0, 0
}

// replace makes data, which is ours or nil, the memory of b. The caller has moved, or
// given up, what was in the old one.
func (b *buffer) replace(data []byte) {
	if b.lent {
		b.lender.Recycle(b.data)
	}
	b.data, b.lent = data, false
}

// room returns where the next bytes go. Nil has the lender bring a buffer.
// It is never empty otherwise, since an operation with an empty buffer finishes
// at once with nothing. A buffer grows when a line does not fit, so that reading a
// long one takes few operations, and when reads fill it. So a buffer of more than
// bulkSize is at most four times as long as what is in it.
func (b *buffer) space() []byte {
	most := bulkSize
	if !b.provided {
		most = keptSize
	}
	grow := b.full && len(b.data) < most
	switch {
	case b.provided && b.len() == 0:
		return nil
	case b.end < len(b.data) && !grow:
	case b.start > len(b.data)/2 && !grow:
		b.end = copy(b.data, b.bytes())
		b.start = 0
	default:
		size := max(firstSize, 2*b.len())
		if grow {
			size = max(size, min(4*len(b.data), most))
		}
		larger := make([]byte, size)
		n := copy(larger, b.bytes())
		b.replace(larger)
		b.start, b.end = 0, n
	}
	return b.data[b.end:]
}

// add takes n bytes that were read into buf, which is what room returned or
// what the lender brought instead.
func (b *buffer) add(buf []byte, n int) {
	if b.data == nil {
		b.data, b.lent = buf[:cap(buf)], true
	}
	b.end += n
	b.full = b.end == len(b.data) && n > len(b.data)/2
}
