// SPDX-License-Identifier: Apache-2.0

package epoll

// bufferSizes are the sizes of the buffers that the poller provides for Reads. A socket begins
// with the smallest size. The largest one holds a message of 64 KiB in TLS records. A message
// of 64 KiB without TLS does not fill it, which saves a second system call.
var bufferSizes = [...]int{4 << 10, 16 << 10, 72 << 10}

// bufferKeep is how many bytes of free buffers the poller keeps. Further buffers go to the
// garbage collector.
const bufferKeep = 4 << 20

// buffers are the free buffers for Reads without a buffer. A Read takes one when there may be
// data, so an idle connection has none. The buffers belong to the loop, so no sync.Pool is
// needed, which the garbage collector would empty.
type buffers struct {
	free [len(bufferSizes)][][]byte // of each size
	kept int                        // bytes in free
}

// take returns a buffer of bufferSizes[class] bytes. Its contents are arbitrary: bytes that a
// Read has not written lie beyond its N.
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

// put stores buf for later, if its capacity is unchanged. A buffer with the capacity of no
// class goes to the garbage collector.
func (b *buffers) put(buf []byte) {
	for class, size := range bufferSizes {
		if cap(buf) == size && b.kept+size <= bufferKeep {
			b.free[class] = append(b.free[class], buf[:size])
			b.kept += size
		}
	}
}

// nextClass returns the class for the Read after one that read n bytes into a buffer of the
// given class: the next larger class if the buffer was full, and the next smaller class if the
// bytes fit into that.
func nextClass(class uint8, n int) uint8 {
	switch {
	case n == bufferSizes[class] && int(class) < len(bufferSizes)-1:
		return class + 1
	case class > 0 && n <= bufferSizes[class-1]:
		return class - 1
	}
	return class
}
