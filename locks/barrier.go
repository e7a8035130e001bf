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
type Barrier struct {
	parties int
	round   *round
	waiters task.WaitQueue // of the current round
	broken  bool
}

// A round is what the tasks that pass a barrier together share.
type round struct {
	index int // for the next task that goes on
	err   error
}

// NewBarrier returns a barrier for so many parties. A number below one panics.
func NewBarrier(parties int) *Barrier {
	if parties < 1 {
		misuse("a barrier of %d parties", parties)
	}
	return &Barrier{parties: parties, round: &round{}}
}

// Wait waits until all parties wait. It may switch. Each task of a round gets
// another index below the number of parties; 0 is for the one that came last,
// so that one of them can do what is to be done once.
//
// A task that is cancelled leaves the round, which goes on waiting for another.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return 0, err
	}
	if b.broken {
		return 0, ErrBroken
	}
	mine := b.round
	// Counted anew each time: a task leaves the line in the moment of its cancel,
	// and could take itself off a counter only later.
	if b.waiters.Len()+1 == b.parties {
		b.release("Wait", nil)
	} else if err := b.waiters.Wait(ctx, task.Text("a barrier")); err != nil {
		return 0, err
	}
	if mine.err != nil {
		return 0, mine.err
	}
	index = mine.index
	mine.index++
	return index, nil
}

// release ends the round with err and begins the next. call is for messages.
func (b *Barrier) release(call string, err error) {
	mayWake(b.waiters.First(), call)
	b.round.err = err
	b.waiters.WakeAll()
	b.round = &round{}
}

// Reset makes the barrier as new. Tasks that wait get ErrBroken.
func (b *Barrier) Reset() {
	b.release("Reset", ErrBroken)
	b.broken = false
}

// Abort breaks the barrier: Wait returns ErrBroken, now and until Reset.
func (b *Barrier) Abort() {
	b.release("Abort", ErrBroken)
	b.broken = true
}

// Parties returns the number of tasks that pass together.
func (b *Barrier) Parties() int { return b.parties }

// Waiting returns the number of tasks that wait.
func (b *Barrier) Waiting() int { return b.waiters.Len() }

// Broken reports whether the barrier was aborted.
func (b *Barrier) Broken() bool { return b.broken }
