// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"errors"

	"baton/task"
)

// ErrBroken is returned by Wait of a barrier that was aborted, or reset while
// the task waited.
var ErrBroken = errors.New("locks: barrier broken")

// A Barrier makes tasks wait for each other: when a fixed number of them waits,
// all go on, and the next round begins. Whoever comes while the tasks of a round
// go on belongs to the next one.
//
// It is made by [NewBarrier]; the zero value has no parties, and its Wait panics.
type Barrier struct {
	parties int
	waiters line[int] // of the current round; each is handed its index
	broken  bool
}

// NewBarrier returns a barrier for so many parties. A number below one panics.
func NewBarrier(parties int) *Barrier {
	if parties < 1 {
		misuse("a barrier of %d parties; it takes at least one", parties)
	}
	return &Barrier{parties: parties}
}

// Wait waits until all parties wait. It may switch. Each task of a round gets
// another index below the number of parties: 0 is for the one that came last,
// so that one of them can do what is to be done once, and the others count from
// 1 in the order of their coming.
//
// A task that is cancelled leaves the round in that moment, and the round goes on
// waiting for another. One that is cancelled after the last party came has
// passed.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	r, err := task.Checkpoint(ctx)
	switch {
	case err != nil:
		return 0, err
	case b.parties == 0:
		misuse("Wait of a barrier without parties; make it by NewBarrier")
	case b.broken:
		return 0, ErrBroken
	case b.waiters.len+1 < b.parties:
		return b.waiters.wait(ctx, r, 0, "a barrier")
	}
	b.waiters.meet(r, "a barrier")
	for i := 1; i < b.parties; i++ {
		b.waiters.wake(i, nil)
	}
	return 0, nil
}

// Reset makes the barrier as new. Tasks that wait get ErrBroken; those whose
// round is complete have passed, even if they have not run since.
func (b *Barrier) Reset() {
	b.fail("Reset")
	b.broken = false
}

// Abort breaks the barrier: Wait returns ErrBroken, now and until Reset.
func (b *Barrier) Abort() {
	b.fail("Abort")
	b.broken = true
}

// fail ends the round without success. call is for messages.
func (b *Barrier) fail(call string) {
	b.waiters.mayWake(call)
	for b.waiters.len > 0 {
		b.waiters.wake(0, ErrBroken)
	}
}

// Parties returns the number of tasks that pass together.
func (b *Barrier) Parties() int { return b.parties }

// Waiting returns the number of tasks that wait. A task that is cancelled is not
// one of them from that moment on.
func (b *Barrier) Waiting() int { return b.waiters.len }

// Broken reports whether the barrier was aborted.
func (b *Barrier) Broken() bool { return b.broken }
