// SPDX-License-Identifier: Apache-2.0

package virtual

// The ring is small enough that a program which writes and never reads meets back pressure in a
// test. It is large enough for one message of most protocols.
const (
	ringSize     = 64 << 10 // largest number of unread bytes in one direction of a conn
	providedSize = 16 << 10 // size of the buffer for a Read without a buffer
	maxSpare     = 64       // largest number of free buffers of each kind
)

// A ring is a ring buffer with the unread bytes of one end of a conn. It has memory only while
// it is not empty, so idle connections need none.
type ring struct {
	data []byte // nil or ringSize bytes
	head int    // index of the first byte
	size int    // number of bytes
}

// write copies as much of b as fits into r, and returns the number of bytes.
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

// read moves as many bytes as fit into b, and returns their number. An empty ring frees its
// memory.
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

// drop removes all bytes and frees the memory.
func (r *ring) drop(spare *buffers) {
	if r.data != nil {
		spare.putRing(r.data)
	}
	*r = ring{}
}

// buffers are the free buffers of a poller. The buffer that was freed last is used first,
// because it is in the processor's caches. The limit frees memory after a burst.
//
// Buffers are not cleared. A ring returns only bytes that were written, and the N of a Read
// says how many bytes of a provided buffer are valid.
type buffers struct {
	rings    [][]byte
	provided [][]byte
	packets  [][]byte // of any size
}

func (s *buffers) ring() []byte     { return take(&s.rings, ringSize) }
func (s *buffers) putRing(b []byte) { put(&s.rings, b, ringSize) }

func (s *buffers) provide() []byte      { return take(&s.provided, providedSize) }
func (s *buffers) putProvided(b []byte) { put(&s.provided, b, providedSize) }

// packet returns a copy of data in a buffer.
func (s *buffers) packet(data []byte) []byte {
	var b []byte
	if last := len(s.packets) - 1; last >= 0 {
		b = s.packets[last]
		s.packets[last] = nil
		s.packets = s.packets[:last]
	}
	return append(b[:0], data...)
}

// putPacket stores a buffer of packet for later.
func (s *buffers) putPacket(b []byte) {
	if cap(b) > 0 && len(s.packets) < maxSpare {
		s.packets = append(s.packets, b)
	}
}

// take removes a buffer of size bytes from the list, or allocates one. Its contents are
// arbitrary.
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

// put stores b for later, unless its capacity is different or there are enough buffers. A
// buffer that did not come from take is accepted if its capacity is equal.
func put(list *[][]byte, b []byte, size int) {
	if cap(b) == size && len(*list) < maxSpare {
		*list = append(*list, b[:size])
	}
}
