// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"sync"
	"sync/atomic"
)

// A mailbox is where other goroutines leave what the loop is to wake: the only
// part of a loop that is shared while it runs. The lock orders memory: what a
// goroutine wrote before put is seen by whoever takes.
type mailbox struct {
	mu     sync.Mutex
	in     []Waker
	closed bool

	// full says that in is not empty, so that a busy loop looks without the lock.
	// It is written with the lock. A look that comes too early misses nothing: the
	// poller's Wake follows every put, and ends the next wait.
	full atomic.Bool
	out  []Waker // belongs to the loop: what take returned last
}

// put adds w, and reports false if the mailbox is closed. Safe from every
// goroutine.
func (m *mailbox) put(w Waker) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.in = append(m.in, w)
	m.full.Store(true)
	return true
}

// take returns what has come in, in order. The slice is valid until the next
// take. The two slices change places, so that nothing is allocated; what was
// taken last time is let go of. Only the holder of the baton calls it.
func (m *mailbox) take() []Waker {
	clear(m.out)
	m.out = m.out[:0]
	if !m.full.Load() {
		return nil
	}
	m.mu.Lock()
	m.in, m.out = m.out[:0], m.in
	m.full.Store(false)
	m.mu.Unlock()
	return m.out
}

// empty is the holder's look without the lock.
func (m *mailbox) empty() bool { return !m.full.Load() }

// close returns what has come in and nobody will take, and whether the mailbox was
// open.
func (m *mailbox) close() (left []Waker, was bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left, was = m.in, !m.closed
	m.closed, m.in = true, nil
	return left, was
}
