// SPDX-License-Identifier: Apache-2.0

package epoll

// bufferSizes are the sizes of the buffers for Reads without one. A socket begins
// with the smallest one. The largest one is for a message of 64 KiB in the records of TLS,
// and without TLS such a message does not fill it, which saves the try for more.
var bufferSizes = [...]int{4 << 10, 16 << 10, 72 << 10}

// bufferKeep is how many bytes of buffers are kept for later; the collector gets
// the others.
const bufferKeep = 4 << 20

// buffers are those of Reads that came without one. A buffer is taken when
// there may be data, not before, so an idle connection has none. They belong to
// the loop, so there is no need for a sync.Pool, which the collector empties.
type buffers struct {
	free [len(bufferSizes)][][]byte // of each size
	kept int                        // bytes in free
}

// take returns a buffer of bufferSizes[class] bytes with anything in it. Nothing is
// zeroed: what a Read has not written lies beyond its N.
func (b *buffers) take(class uint8) []byte {
	free := &b.free[class]
	n := len(*free)
	if n == 0 {
		return make([]byte, bufferSizes[class])
	}
	buf := (*free)[n-1]
	*free = (*free)[:n-1]
	b.kept -= len(buf)
	return buf
}

// put takes buf back, if its end was not cut off. What is not one of its own, as
// far as the size can tell, goes to the collector.
func (b *buffers) put(buf []byte) {
	for class, size := range bufferSizes {
		if cap(buf) == size && b.kept+size <= bufferKeep {
			b.free[class] = append(b.free[class], buf[:size])
			b.kept += size
		}
	}
}

// nextClass returns the class for the Read after one that brought n bytes in a buffer
// of the given class: the next larger one if the buffer was full, the next smaller one
// if the bytes fit into that.
func nextClass(class uint8, n int) uint8 {
	switch {
	case n == bufferSizes[class] && int(class) < len(bufferSizes)-1:
		return class + 1
	case class > 0 && n <= bufferSizes[class-1]:
		return class - 1
	}
	return class
}
