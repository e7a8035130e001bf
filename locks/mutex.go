// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// A Mutex is a lock that at most one task holds. The zero value is unlocked.
//
// As in sync.Mutex and asyncio's Lock, any task may unlock it, and a task that locks it
// twice waits for itself. The mutex remembers its holder for reports, such as a deadlock
// report.
type Mutex struct {
	holder  *task.Ref // nil: unlocked
	waiters task.WaitQueue
}

// Lock locks the mutex. It waits while another task holds the mutex. It may switch.
func (m *Mutex) Lock(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if m.holder == nil {
		m.holder = r
		return nil
	}
	return m.wait(ctx, r)
}

// wait waits until Unlock makes r the holder.
func (m *Mutex) wait(ctx context.Context, r *task.Ref) error {
	mustShareLoop(r, m.holder, "a mutex")
	return m.waiters.Wait(ctx, (*mutexWait)(m))
}

// TryLock locks the mutex for the calling task if it is free, and reports whether it did.
// It never switches and ignores a cancel of ctx.
func (m *Mutex) TryLock(ctx context.Context) bool {
	r := task.Self(ctx)
	if m.holder != nil {
		return false
	}
	m.holder = r
	return true
}

// Unlock unlocks the mutex. If tasks wait, the mutex passes to the task that has waited
// longest. Unlock panics if the mutex is not locked.
func (m *Mutex) Unlock() {
	if m.waiters.First() != nil || m.holder == nil {
		m.unlockSlow() // a separate function, so that Unlock can be inlined
	} else {
		m.holder = nil
	}
}

// unlockSlow is Unlock for a mutex that has waiters or is not locked.
func (m *Mutex) unlockSlow() {
	if m.holder == nil {
		misuse("Unlock of a mutex that is not locked; call Lock first")
	}
	mustHoldBaton(m.waiters.First(), "Unlock")
	m.holder = m.waiters.WakeOne()
}

// Locked reports whether a task holds the mutex.
func (m *Mutex) Locked() bool { return m.holder != nil }

// Holder returns the task that holds the mutex, or nil.
func (m *Mutex) Holder() *task.Ref { return m.holder }

// mutexWait is the Reason of waits for a mutex.
type mutexWait Mutex

func (m *mutexWait) Reason() string      { return "a mutex" }
func (m *mutexWait) Owners() []*task.Ref { return []*task.Ref{m.holder} }
