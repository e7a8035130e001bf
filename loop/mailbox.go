// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"sync"
	"sync/atomic"
)

// A mailbox is the queue of posted Wakers: the only part of a running loop that other
// goroutines write to. The mutex orders memory: the loop sees what a poster wrote before
// its put.
type mailbox struct {
	mu     sync.Mutex
	in     []Waker
	closed bool

	// full reports that in is not empty, so that a busy loop can check without the mutex.
	// It is written under the mutex. The loop may read it too early; then the poller's
	// Wake, which follows every put, ends the loop's next wait.
	full atomic.Bool
	out  []Waker // what take returned last; used by the holder only
}

// put adds w. It returns false if the mailbox is closed. It is safe for concurrent use.
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

// take removes and returns the posted Wakers, in order. The slice is valid until the next
// take. The two slices are swapped, so that take does not allocate. Only the holder calls
// it.
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

// empty reports whether nothing was posted. Only the holder calls it.
func (m *mailbox) empty() bool { return !m.full.Load() }

// close closes the mailbox. It returns the Wakers that were not taken, and whether the
// mailbox was open.
func (m *mailbox) close() (left []Waker, was bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left, was = m.in, !m.closed
	m.closed, m.in = true, nil
	return left, was
}
