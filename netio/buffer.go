// SPDX-License-Identifier: Apache-2.0

package netio

const (
	// firstSize is the size of a buffer that this package allocates, in bytes. It is a
	// page, which holds a line of most protocols.
	firstSize = 4 << 10

	// keptSize is the size of the largest buffer that an idle stream keeps, in bytes.
	// Otherwise one long line would cost its memory as long as the connection lives.
	keptSize = 16 << 10

	// bulkSize limits how far a buffer grows because reads fill it, in bytes. The poller's
	// own buffers grow in the same way, and a little further.
	bulkSize = 64 << 10
)

// A buffer holds what was read ahead: data[start:end] has not been returned to the caller
// yet. Usually it is empty, because Read reads directly into the caller's memory if the
// buffer is empty. An empty buffer has no memory if there is TLS, or if the poller can
// provide a buffer together with the data: an idle connection costs no buffer.
//
// A buffer belongs to its stream, and its methods neither switch nor fail. It grows as long
// as its user calls space; the user enforces the limit.
type buffer struct {
	start, end int
	data       []byte
	lent       bool // data belongs to the lender, and goes back by Recycle
	full       bool // the last read filled data, or at least its second half

	provided bool // the lender can provide buffers
	lender   lender
}

// A lender provides buffers together with the data. It is the poller or TLS.
type lender interface {
	Recycle(buf []byte)
}

// len returns how many bytes have not been returned yet.
func (b *buffer) len() int { return b.end - b.start }

// bytes returns these bytes, in b's own memory. They are valid until the next call of b.
func (b *buffer) bytes() []byte { return b.data[b.start:b.end] }

// read moves as many bytes as fit into p, and returns their number.
func (b *buffer) read(p []byte) int {
	n := copy(p, b.bytes())
	b.drop(n)
	return n
}

// drop removes n bytes from the front. It may be called after forget.
func (b *buffer) drop(n int) {
	// Close may have called forget while the caller was writing the bytes.
	b.start = min(b.start+n, b.end)
	if b.start == b.end {
		b.clear()
	}
}

// clear empties b and releases memory that b does not need.
func (b *buffer) clear() {
	b.start, b.end = 0, 0
	if b.provided || len(b.data) > keptSize {
		b.replace(nil)
	}
}

// forget empties b without releasing memory that was lent. A Write of another stream may
// still use that memory, and the lender would lend it again.
func (b *buffer) forget() {
	b.data, b.lent = nil, false
	b.start, b.end = 0, 0
}

// replace makes data, which is allocated by this package or nil, the memory of b. The
// caller has moved the old bytes or does not need them.
func (b *buffer) replace(data []byte) {
	if b.lent {
		b.lender.Recycle(b.data)
	}
	b.data, b.lent = data, false
}

// space returns where the next bytes go. Nil makes the lender provide a buffer. Otherwise
// the result is not empty, because an operation with an empty buffer completes at once
// without bytes.
//
// A buffer grows when a line does not fit, so that a long line takes few reads, and when
// reads fill it. So a buffer of more than bulkSize is at most four times as long as its
// content.
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

// add adds n bytes that were read into buf, which space returned or the lender provided.
func (b *buffer) add(buf []byte, n int) {
	if b.data == nil {
		b.data, b.lent = buf[:cap(buf)], true
	}
	b.end += n
	b.full = b.end == len(b.data) && n > len(b.data)/2
}
