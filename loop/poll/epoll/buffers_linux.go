// SPDX-License-Identifier: Apache-2.0

package epoll

const (
	bufferSize = 16 << 10 // bytes one Read without a buffer takes at most

	// bufferKeep is how many buffers are kept for later; the collector gets the
	// others. One look may finish so many Reads: with fewer, a server with hundreds
	// of connections at work would make new ones all the time.
	bufferKeep = maxEvents
)

// buffers are those of Reads that came without one. A buffer is taken when
// there may be data, not before, so an idle connection has none. They belong to
// the loop, so there is no need for a sync.Pool, which the collector empties.
type buffers struct{ free [][]byte }

// take returns a buffer of bufferSize bytes with anything in it. Nothing is
// zeroed: what a Read has not written lies beyond its N.
func (b *buffers) take() []byte {
	n := len(b.free)
	if n == 0 {
		return make([]byte, bufferSize)
	}
	buf := b.free[n-1]
	b.free = b.free[:n-1]
	return buf
}

// put takes buf back, if its end was not cut off. What is not one of its own, as
// far as the size can tell, goes to the collector.
func (b *buffers) put(buf []byte) {
	if cap(buf) == bufferSize && len(b.free) < bufferKeep {
		b.free = append(b.free, buf[:bufferSize])
	}
}
