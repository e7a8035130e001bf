// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"sync"
	"sync/atomic"
)

// A mailbox is where other goroutines leave what the loop is to wake: the only
// part of a loop that is shared while it runs.
type mailbox struct {
	mu     sync.Mutex
	in     []Waker
	closed bool

	full atomic.Bool // so that a busy loop looks without the lock
	out  []Waker     // belongs to the loop: what take returned last
}

// put reports false if the mailbox is closed.
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
// take.
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

func (m *mailbox) empty() bool { return !m.full.Load() }

// close reports whether the mailbox was open.
func (m *mailbox) close() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := !m.closed
	m.closed, m.in = true, nil
	return was
}
