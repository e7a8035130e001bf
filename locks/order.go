// SPDX-License-Identifier: Apache-2.0

package locks

// An order stores the items of a queue, and chooses the next one. The queue counts the
// items. An order must not keep a popped item alive, so pop clears its place. Orders do not
// release their memory, because a queue that was long once is likely to become long again.
type order[T any] interface {
	push(T)
	pop() T // must not be called on an empty order
}

// A ring is first in, first out. The size of its buffer is a power of two. So the index of
// an item is the low bits of a counter, even after the counter overflows. The zero value is
// an empty ring. push and pop take constant time on average.
type ring[T any] struct {
	buf  []T
	head uint // the counter of the next pop; head and tail only increase until they overflow
	tail uint // the counter of the next push
}

func (r *ring[T]) push(v T) {
	if r.tail-r.head == uint(len(r.buf)) {
		r.grow()
	}
	r.buf[r.tail&uint(len(r.buf)-1)] = v
	r.tail++
}

func (r *ring[T]) pop() T {
	var zero T
	slot := &r.buf[r.head&uint(len(r.buf)-1)]
	v := *slot
	*slot = zero
	r.head++
	return v
}

// grow doubles the buffer, which must be full. Items that wrapped around in the old buffer
// are contiguous in the new one.
func (r *ring[T]) grow() {
	old := r.buf
	r.buf = make([]T, max(8, 2*len(old)))
	if len(old) > 0 {
		first := r.head & uint(len(old)-1)
		n := copy(r.buf, old[first:])
		copy(r.buf[n:], old[:first])
	}
	r.head, r.tail = 0, uint(len(old))
}

// A stack is last in, first out.
type stack[T any] struct{ items []T }

func (s *stack[T]) push(v T) { s.items = append(s.items, v) }

func (s *stack[T]) pop() T {
	var zero T
	last := len(s.items) - 1
	v := s.items[last]
	s.items[last] = zero
	s.items = s.items[:last]
	return v
}

// A heap returns the smallest item first, and equal items in the order of push. It is a
// binary heap: the number of calls of compare grows with the logarithm of the length.
// container/heap would allocate, because it converts each item to an interface.
type heap[T any] struct {
	compare func(a, b T) int
	items   []ranked[T] // items 2i+1 and 2i+2 are the children of item i, and not less than it
	seq     uint64      // the number of the last push
}

// A ranked item also has the number of its push, because a heap does not keep the order of
// equal items.
type ranked[T any] struct {
	item T
	seq  uint64
}

func (h *heap[T]) less(a, b *ranked[T]) bool {
	c := h.compare(a.item, b.item)
	return c < 0 || c == 0 && a.seq < b.seq
}

func (h *heap[T]) push(v T) {
	h.seq++
	h.items = append(h.items, ranked[T]{v, h.seq})
	i := len(h.items) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(&h.items[i], &h.items[parent]) {
			break
		}
		h.items[i], h.items[parent] = h.items[parent], h.items[i]
		i = parent
	}
}

func (h *heap[T]) pop() T {
	v := h.items[0].item
	last := len(h.items) - 1
	h.items[0] = h.items[last]
	h.items[last] = ranked[T]{}
	h.items = h.items[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if h.less(&h.items[c], &h.items[least]) {
				least = c
			}
		}
		if least == i {
			return v
		}
		h.items[i], h.items[least] = h.items[least], h.items[i]
		i = least
	}
}
