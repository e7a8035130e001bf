// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"errors"

	"baton/task"
)

// ErrBroken is returned by Barrier.Wait if the barrier was aborted, or was reset while the
// task waited.
var ErrBroken = errors.New("locks: barrier broken")

// A Barrier makes tasks wait for each other. When a fixed number of tasks wait, all of them
// continue, and the next round begins. A task that arrives after that belongs to the next
// round.
//
// Make barriers with [NewBarrier]. Wait panics on the zero value.
type Barrier struct {
	parties int
	waiters waitList[int] // the tasks of the current round; wake passes each its index
	broken  bool
}

// NewBarrier returns a barrier for the given number of parties. It panics if parties is
// less than 1.
func NewBarrier(parties int) *Barrier {
	if parties < 1 {
		misuse("NewBarrier with %d parties; a barrier needs at least one", parties)
	}
	return &Barrier{parties: parties}
}

// Wait waits until all parties wait. It may switch. Each task of a round gets a different
// index below the number of parties. The last task to arrive gets 0, so that one task can
// do what must be done once. The other tasks get 1, 2 and so on, in the order of their
// arrival.
//
// A task that is cancelled leaves the round at once, and the round waits for another task.
// If the last party arrives before the cancel, the task returns its index and no error.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	r, err := task.Checkpoint(ctx)
	switch {
	case err != nil:
		return 0, err
	case b.parties == 0:
		misuse("Wait of a barrier without parties; make the barrier with NewBarrier")
	case b.broken:
		return 0, ErrBroken
	case b.waiters.len+1 < b.parties:
		return b.waiters.wait(ctx, r, 0, "a barrier")
	}
	b.waiters.mustShareLoop(r, "a barrier")
	for i := 1; i < b.parties; i++ {
		b.waiters.wake(i, nil)
	}
	return 0, nil
}

// Reset returns the barrier to its initial state. Waiting tasks return ErrBroken. Tasks
// whose round is complete return no error, even if they have not run since.
func (b *Barrier) Reset() {
	b.fail("Reset")
	b.broken = false
}

// Abort breaks the barrier: until Reset, every Wait returns ErrBroken, including those of
// waiting tasks.
func (b *Barrier) Abort() {
	b.fail("Abort")
	b.broken = true
}

// fail wakes all tasks of the round with ErrBroken. call is the caller's name for messages.
func (b *Barrier) fail(call string) {
	b.waiters.mustHoldBaton(call)
	for b.waiters.len > 0 {
		b.waiters.wake(0, ErrBroken)
	}
}

// Parties returns the number of tasks in a round.
func (b *Barrier) Parties() int { return b.parties }

// Waiting returns the number of waiting tasks. A cancelled task is no longer one of them.
func (b *Barrier) Waiting() int { return b.waiters.len }

// Broken reports whether the barrier was aborted.
func (b *Barrier) Broken() bool { return b.broken }
