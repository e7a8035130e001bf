// SPDX-License-Identifier: Apache-2.0

package netio

import "sync"

const (
	// pieceSpace is enough for the records of one piece of a Write, in bytes.
	pieceSpace = pieceBytes + 2<<10

	// bulkSpace is enough for the records of four pieces.
	bulkSpace = 4 * pieceSpace
)

// buffers holds the buffers of all streams with TLS, for decrypted bytes and for records to
// send. A stream holds a buffer only while there is something in it, so an idle stream
// holds none.
var buffers = pool{
	small:  sync.Pool{New: func() any { return new([firstSize]byte) }},
	medium: sync.Pool{New: func() any { return new([pieceSpace]byte) }},
	large:  sync.Pool{New: func() any { return new([bulkSpace]byte) }},
}

// A pool lends buffers of three sizes. It is safe for concurrent use.
type pool struct{ small, medium, large sync.Pool }

// lend returns a buffer of at least n bytes, or the largest one. Its content is undefined.
func (p *pool) lend(n int) []byte {
	switch {
	case n <= firstSize:
		return p.small.Get().(*[firstSize]byte)[:]
	case n <= pieceSpace:
		return p.medium.Get().(*[pieceSpace]byte)[:]
	}
	return p.large.Get().(*[bulkSpace]byte)[:]
}

// Recycle takes back a buffer that lend returned. The caller may have cut off its end, but
// not its beginning. Recycle ignores other buffers.
func (p *pool) Recycle(buf []byte) {
	switch buf = buf[:cap(buf)]; len(buf) {
	case firstSize:
		p.small.Put((*[firstSize]byte)(buf))
	case pieceSpace:
		p.medium.Put((*[pieceSpace]byte)(buf))
	case bulkSpace:
		p.large.Put((*[bulkSpace]byte)(buf))
	}
}
