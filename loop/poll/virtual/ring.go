// SPDX-License-Identifier: Apache-2.0

package virtual

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

// write takes as much of b as fits, and returns how much that is.
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

// drop forgets what is in r and gives back its memory.
func (r *ring) drop(spare *buffers) {
	if r.data != nil {
		spare.putRing(r.data)
	}
	*r = ring{}
}

// buffers are the memory that is in nobody's hands just now. What comes back is
// taken again first, while it is in the processor's caches; the limit keeps a
// burst from being paid for ever.
type buffers struct {
	rings    [][]byte
	provided [][]byte
}

func (s *buffers) ring() []byte     { return take(&s.rings, ringSize) }
func (s *buffers) putRing(b []byte) { put(&s.rings, b, ringSize) }

func (s *buffers) provide() []byte      { return take(&s.provided, providedSize) }
func (s *buffers) putProvided(b []byte) { put(&s.provided, b, providedSize) }

// take returns a buffer of size bytes with any content.
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

// put keeps b for later, unless it is not one of ours or there are enough.
func put(list *[][]byte, b []byte, size int) {
	if cap(b) == size && len(*list) < maxSpare {
		*list = append(*list, b[:size])
	}
}
