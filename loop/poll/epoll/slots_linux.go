// SPDX-License-Identifier: Apache-2.0

package epoll

// noSlot marks events of descriptors that are not sockets of the poller.
const noSlot = -1

// slots finds the socket that an event is about. An event carries the index and
// the generation of a slot, and no pointer, which the collector would not see.
//
// The kernel may still report a descriptor that was closed (if a child that is
// about to exec holds a copy), and one look may hold events of a socket that an
// earlier event closed. Then the generation is another one, and the event is
// nobody's. Even if it wrapped around after four thousand million sockets, all
// an event ever causes is a try, and the kernel's answer to that is the truth.
type slots struct {
	all  []slot
	free []int32
}

type slot struct {
	socket     *socket // nil while the slot is free
	generation int32   // of the present socket, or of the next one
}

// take gives s a slot, the one that was freed last if there is any, so the
// table is as long as the most sockets there ever were at a time.
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

// release ends the generation of s. It is called when the descriptor closes,
// before its number can be another one's.
func (t *slots) release(s *socket) {
	t.all[s.slot].socket = nil
	t.all[s.slot].generation++
	t.free = append(t.free, s.slot)
}

// at returns the socket of an event, or nil if it is gone. It may be asked for
// any event that the kernel reports, however old.
func (t *slots) at(index, generation int32) *socket {
	if index == noSlot || t.all[index].generation != generation {
		return nil
	}
	return t.all[index].socket
}
