// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// An Event is a flag for which tasks can wait. The zero value is not set. Use task.Future
// for something that happens once and has a result, and Cond to check a condition again
// under a mutex.
type Event struct {
	set     bool
	waiters task.WaitQueue
}

// Set sets the flag and wakes all waiting tasks. Their Wait returns nil even if Clear is
// called before they run. Setting a set flag does nothing. Set never switches.
func (e *Event) Set() {
	mustHoldBaton(e.waiters.First(), "Set")
	e.set = true
	e.waiters.WakeAll()
}

// Clear clears the flag: from now on, Wait waits for the next Set.
func (e *Event) Clear() { e.set = false }

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool { return e.set }

// Wait waits until the flag is set. It may switch. When it returns nil, the flag was set,
// but may have been cleared since: see IsSet.
func (e *Event) Wait(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	if e.set {
		return nil
	}
	return e.waiters.Wait(ctx, task.Text("an event"))
}
