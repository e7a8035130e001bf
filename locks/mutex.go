// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// A Mutex is held by at most one task. The zero value is unlocked.
//
// As with sync.Mutex and asyncio's Lock any task may unlock it, and a task that
// locks it twice waits for itself. The holder is remembered for reports: a
// deadlock names it.
type Mutex struct {
	holder  *task.Ref // nil: unlocked
	waiters task.WaitQueue
}

// Lock locks the mutex, waiting until it is free. It may switch.
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
	meet(r, m.holder, "a mutex")
	return m.waiters.Wait(ctx, (*mutexWait)(m))
}

// TryLock locks the mutex if it is free, and reports whether it did. It never
// switches; ctx names the new holder, and may be cancelled.
func (m *Mutex) TryLock(ctx context.Context) bool {
	r := task.Self(ctx)
	if m.holder != nil {
		return false
	}
	m.holder = r
	return true
}

// Unlock hands the mutex to the task that has waited longest, if there is one.
// Unlocking a free mutex is misuse and panics.
func (m *Mutex) Unlock() {
	if m.waiters.First() != nil || m.holder == nil {
		m.handOver() // apart, so that Unlock can be inlined
	} else {
		m.holder = nil
	}
}

// handOver is Unlock if there is more to it.
func (m *Mutex) handOver() {
	if m.holder == nil {
		misuse("Unlock of a mutex that is not locked")
	}
	mayWake(m.waiters.First(), "Unlock")
	m.holder = m.waiters.WakeOne()
}

// Locked reports whether a task holds the mutex.
func (m *Mutex) Locked() bool { return m.holder != nil }

// Holder returns the task that holds the mutex, or nil.
func (m *Mutex) Holder() *task.Ref { return m.holder }

// mutexWait is a mutex as what tasks wait for.
type mutexWait Mutex

func (m *mutexWait) Reason() string      { return "a mutex" }
func (m *mutexWait) Owners() []*task.Ref { return []*task.Ref{m.holder} }
