// SPDX-License-Identifier: Apache-2.0

package epoll

// noSlot marks events of descriptors that are not sockets of the poller.
const noSlot = -1

// slots finds the socket of an event. An event carries the index and the generation of a slot.
// It cannot carry a pointer, which the garbage collector would not see.
//
// The kernel may report a closed descriptor, if a child process holds a copy of it until exec.
// One batch may also contain events of a socket that an earlier event has closed. The
// generation of such an event is old, and the event is ignored. If generations wrapped around,
// after four billion sockets, the event would only cause an unnecessary system call.
type slots struct {
	all  []slot
	free []int32
}

type slot struct {
	socket     *socket // nil while the slot is free
	generation int32   // of the current socket, or of the next one
}

// take assigns a slot to s. It reuses the slot that was freed last, so the table grows only to
// the largest number of sockets that were open at the same time.
func (t *slots) take(s *socket) {
	if n := len(t.free); n > 0 {
		s.slot = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		s.slot = int32(len(t.all))
		t.all = append(t.all, slot{})
	}
	t.all[s.slot].socket = s
	s.generation = t.all[s.slot].generation
}

// release frees the slot of s and ends its generation. It is called before the descriptor is
// closed, after which the number may belong to another file.
func (t *slots) release(s *socket) {
	t.all[s.slot].socket = nil
	t.all[s.slot].generation++
	t.free = append(t.free, s.slot)
}

// at returns the socket of an event, or nil if the socket is gone.
func (t *slots) at(index, generation int32) *socket {
	if index == noSlot || t.all[index].generation != generation {
		return nil
	}
	return t.all[index].socket
}
