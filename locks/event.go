// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// An Event is a flag that tasks can wait for. The zero value is not set. For
// something that happens once and has a result there is task.Future; for "look
// again" under a mutex there is Cond.
type Event struct {
	set     bool
	waiters task.WaitQueue
}

// Set sets the flag and wakes all tasks that wait for it, even if somebody
// clears it before they run. It never switches. Nobody waits for a flag that is
// set, so setting it again does nothing.
func (e *Event) Set() {
	mayWake(e.waiters.First(), "Set")
	e.set = true
	e.waiters.WakeAll()
}

// Clear takes the flag back: those who come now wait for the next Set.
func (e *Event) Clear() { e.set = false }

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool { return e.set }

// Wait waits until the flag is set. It may switch. When it returns nil the flag has
// been set meanwhile; whether it still is, IsSet tells.
func (e *Event) Wait(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	if e.set {
		return nil
	}
	return e.waiters.Wait(ctx, task.Text("an event"))
}
