// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"math"

	"baton/task"
)

// A Semaphore holds a number of permits. The zero value has no permits and is ready to use.
// A Semaphore does not know which task has a permit: any task and any callback may return
// one. A Limiter knows its borrowers.
type Semaphore struct {
	permits permits
	bound   int // 1 + the largest number of free permits; 0 if there is no limit
}

// NewSemaphore returns a semaphore with n permits. Release may add more permits.
// NewSemaphore panics if n is negative.
func NewSemaphore(n int) *Semaphore {
	if n < 0 {
		misuse("a semaphore with %d permits; the number must not be negative", n)
	}
	return &Semaphore{permits: permits{free: n}}
}

// NewBoundedSemaphore returns a semaphore that never has more than n permits: a Release
// without an Acquire panics. asyncio calls this BoundedSemaphore.
func NewBoundedSemaphore(n int) *Semaphore {
	s := NewSemaphore(n)
	s.bound = n + 1
	return s
}

// Acquire takes a permit, and waits until there is one. It may switch.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	if s.permits.try() {
		return nil
	}
	return s.permits.waiters.Wait(ctx, task.Text("a semaphore"))
}

// TryAcquire takes a permit if there is one, and reports whether it did. It never switches.
// It fails while tasks wait, because released permits pass to them.
func (s *Semaphore) TryAcquire() bool { return s.permits.try() }

// Release returns a permit, or adds one. If tasks wait, the task that has waited longest
// has the permit at once. Release never switches. It panics if the semaphore is bounded and
// has all its permits.
func (s *Semaphore) Release() {
	if s.permits.free == s.limit() {
		misuse("Release of a semaphore that has all its %d permits; call Acquire first", s.permits.free)
	}
	s.permits.add(1, "Release")
	s.permits.next()
}

// limit returns the largest number of free permits.
func (s *Semaphore) limit() int {
	if s.bound > 0 {
		return s.bound - 1
	}
	return math.MaxInt
}

// Locked reports whether Acquire would wait.
func (s *Semaphore) Locked() bool { return s.permits.free == 0 }

// Free returns the number of free permits.
func (s *Semaphore) Free() int { return s.permits.free }

// permits counts the permits of a semaphore or limiter. While tasks wait, no permit is
// free, so no other task can overtake them.
type permits struct {
	free    int // negative if a limiter has lent more than its capacity
	waiters task.WaitQueue
}

// try takes a permit if one is free.
func (p *permits) try() bool {
	if p.free <= 0 {
		return false
	}
	p.free--
	return true
}

// add makes n more permits free; n may be negative. After add, the caller calls next until
// it returns nil, or once if n is 1. If the caller may not wake the waiting tasks, add
// panics and changes nothing. call is the caller's name for the message.
func (p *permits) add(n int, call string) {
	mustHoldBaton(p.waiters.First(), call)
	p.free += n
}

// next passes a free permit to the task that has waited longest, and returns that task. It
// returns nil if no permit is free or no task waits.
func (p *permits) next() *task.Ref {
	if p.free <= 0 || p.waiters.First() == nil {
		return nil
	}
	p.free--
	return p.waiters.WakeOne()
}
