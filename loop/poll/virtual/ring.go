// SPDX-License-Identifier: Apache-2.0

package virtual

// A ring is small enough for a program that writes and never reads to meet back
// pressure in a test, and large enough for one message of most protocols.
const (
	ringSize     = 64 << 10 // bytes on the way in one direction of a conn
	providedSize = 16 << 10 // bytes a Read without a buffer brings at most
	maxSpare     = 64       // buffers of each kind kept for later
)

// A ring is the bytes on their way to one end of a conn. It holds memory only
// while it is not empty, so idle connections cost none.
type ring struct {
	data []byte // nil or ringSize bytes
	head int    // where the first byte is
	size int    // how many bytes there are
}

// write takes as much of b as fits, and returns how much that is. Two copies at
// most, one up to the end of the memory and one from its beginning.
func (r *ring) write(b []byte, spare *buffers) int {
	if len(b) == 0 || r.size == ringSize {
		return 0
	}
	if r.data == nil {
		r.data = spare.ring()
	}
	b = b[:min(len(b), ringSize-r.size)]
	tail := (r.head + r.size) % ringSize
	n := copy(r.data[tail:], b)
	copy(r.data, b[n:])
	r.size += len(b)
	return len(b)
}

// read moves as much as fits into b, and returns how much that is. An empty ring
// gives its memory back.
func (r *ring) read(b []byte, spare *buffers) int {
	b = b[:min(len(b), r.size)]
	n := copy(b, r.data[r.head:])
	copy(b[n:], r.data)
	r.head = (r.head + len(b)) % ringSize
	r.size -= len(b)
	if r.size == 0 {
		r.drop(spare)
	}
	return len(b)
}

// drop forgets what is in r and gives back its memory. What is empty has none.
func (r *ring) drop(spare *buffers) {
	if r.data != nil {
		spare.putRing(r.data)
	}
	*r = ring{}
}

// buffers are the memory that is in nobody's hands just now. What comes back is
// taken again first, while it is in the processor's caches; the limit keeps a
// burst from being paid for ever.
//
// They are not cleared. Only bytes that were written are ever read from a ring,
// and of a buffer that was provided a Read tells how many are its own.
type buffers struct {
	rings    [][]byte
	provided [][]byte
	packets  [][]byte // of any size
}

func (s *buffers) ring() []byte     { return take(&s.rings, ringSize) }
func (s *buffers) putRing(b []byte) { put(&s.rings, b, ringSize) }

func (s *buffers) provide() []byte      { return take(&s.provided, providedSize) }
func (s *buffers) putProvided(b []byte) { put(&s.provided, b, providedSize) }

// packet returns a copy of data, putPacket takes one back.
func (s *buffers) packet(data []byte) []byte {
	var b []byte
	if last := len(s.packets) - 1; last >= 0 {
		b = s.packets[last]
		s.packets[last] = nil
		s.packets = s.packets[:last]
	}
	return append(b[:0], data...)
}

func (s *buffers) putPacket(b []byte) {
	if cap(b) > 0 && len(s.packets) < maxSpare {
		s.packets = append(s.packets, b)
	}
}

// take returns a buffer of size bytes with any content. The list forgets it, so
// that it is not kept alive by two.
func take(list *[][]byte, size int) []byte {
	last := len(*list) - 1
	if last < 0 {
		return make([]byte, size)
	}
	b := (*list)[last]
	(*list)[last] = nil
	*list = (*list)[:last]
	return b
}

// put keeps b for later, unless it is not one of ours or there are enough. That
// it is ours only its capacity tells; a caller who gives back something else of
// that size has made a present.
func put(list *[][]byte, b []byte, size int) {
	if cap(b) == size && len(*list) < maxSpare {
		*list = append(*list, b[:size])
	}
}
