// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"math"

	"baton/task"
)

// A Semaphore is a number of permits. The zero value has none, and is ready to
// use. It does not know who has them: any task and any callback may give one
// back. A Limiter is the one that knows.
type Semaphore struct {
	permits permits
	bound   int // of a bounded one, plus one: so zero is none
}

// NewSemaphore returns a semaphore with n permits. Release may add more. A
// negative number panics.
func NewSemaphore(n int) *Semaphore {
	if n < 0 {
		misuse("a semaphore with %d permits", n)
	}
	return &Semaphore{permits: permits{free: n}}
}

// NewBoundedSemaphore returns a semaphore that never has more than n permits: a
// Release without an Acquire is misuse and panics. asyncio's BoundedSemaphore.
func NewBoundedSemaphore(n int) *Semaphore {
	s := NewSemaphore(n)
	s.bound = n + 1
	return s
}

// Acquire takes a permit, waiting until there is one. It may switch.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	if s.permits.try() {
		return nil
	}
	return s.permits.waiters.Wait(ctx, task.Text("a semaphore"))
}

// TryAcquire takes a permit if there is one, and reports whether it did. It never
// switches. While tasks wait it fails: what is released is theirs.
func (s *Semaphore) TryAcquire() bool { return s.permits.try() }

// Release gives a permit back, or adds one. It goes to the task that has
// waited longest, if there is one, which holds it from this moment. It never
// switches. One more than a bounded semaphore has is misuse and panics.
func (s *Semaphore) Release() {
	if s.permits.free == s.limit() {
		misuse("Release of a semaphore that has all of its %d permits", s.permits.free)
	}
	s.permits.add(1, "Release")
	s.permits.next()
}

// limit is the number of free permits that Release may not exceed.
func (s *Semaphore) limit() int {
	if s.bound > 0 {
		return s.bound - 1
	}
	return math.MaxInt
}

// Locked reports whether Acquire would wait.
func (s *Semaphore) Locked() bool { return s.permits.free == 0 }

// Free returns the number of permits that are left.
func (s *Semaphore) Free() int { return s.permits.free }

// permits are what semaphores and limiters give out. As long as a task waits
// none is free, so that nobody overtakes it.
type permits struct {
	free    int // negative if a limiter has lent more than it now has
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

// add makes n more permits free, for next to hand out; n may be negative. It
// panics if the caller may not wake those who wait, and has changed nothing then.
// call is for that message.
func (p *permits) add(n int, call string) {
	mayWake(p.waiters.First(), call)
	p.free += n
}

// next hands a free permit to the first waiter, and returns who has it now; nil if
// there is no permit or nobody waits. After add it is called until it returns
// nil, or once if a single permit was added.
func (p *permits) next() *task.Ref {
	if p.free <= 0 || p.waiters.First() == nil {
		return nil
	}
	p.free--
	return p.waiters.WakeOne()
}
