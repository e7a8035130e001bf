// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// A Cond lets tasks that hold a mutex wait for a change of the data that the mutex
// protects. All methods panic if the calling task does not hold the mutex. Several
// conditions may share a mutex.
type Cond struct {
	L *Mutex // protects the data that the condition is about; must be set before first use

	waiters task.WaitQueue
}

// NewCond returns a condition with the mutex l.
func NewCond(l *Mutex) *Cond { return &Cond{L: l} }

// Wait unlocks the mutex, waits for a notification and locks the mutex again. It may
// switch. It always returns with the mutex locked. If ctx is cancelled, Wait locks the
// mutex first and then returns the *task.Canceled.
//
// If a notification comes before a cancel, Wait returns nil. The caller then acts on the
// notification, or passes it on with Notify.
func (c *Cond) Wait(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if c.holder() != r {
		misuse("Cond.Wait of %v, which does not hold the mutex of the condition; lock it first", r)
	}
	if err != nil {
		return err
	}
	// Before Unlock, so that a panic changes nothing.
	mustShareLoop(r, c.waiters.First(), "a condition")
	c.L.Unlock()
	err = c.waiters.Wait(ctx, task.Text("a condition"))
	c.relock(ctx, r)
	return err
}

// holder returns the task that holds the mutex, or nil.
func (c *Cond) holder() *task.Ref {
	if c.L == nil {
		misuse("a condition without a mutex; make it with NewCond, or set L")
	}
	return c.L.holder
}

// relock locks the mutex for r, the task of ctx, even if ctx is cancelled, because the
// caller will unlock it. The shield has no limit: relock must not return without the mutex.
func (c *Cond) relock(ctx context.Context, r *task.Ref) {
	if c.L.holder == nil {
		c.L.holder = r
		return
	}
	shielded, release := task.Shield(ctx, -1)
	defer release()
	c.L.wait(shielded, r) // only Unlock ends this wait
}

// WaitFor waits until pred returns true. It calls pred with the mutex locked. It may
// switch. It always returns with the mutex locked, and returns the same errors as Wait.
func (c *Cond) WaitFor(ctx context.Context, pred func() bool) error {
	r, err := task.Checkpoint(ctx)
	if c.holder() != r {
		misuse("Cond.WaitFor of %v, which does not hold the mutex of the condition; lock it first", r)
	}
	if err != nil {
		return err
	}
	for !pred() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Notify wakes the n tasks that have waited longest, or all if fewer wait. Each woken task
// continues when it has the mutex. A notification has no effect on tasks that wait later.
// Notify never switches.
func (c *Cond) Notify(n int) {
	c.mustHoldMutex("Notify")
	for ; n > 0 && c.waiters.WakeOne() != nil; n-- {
	}
}

// NotifyAll wakes all waiting tasks. They continue one after another, each when it has the
// mutex.
func (c *Cond) NotifyAll() {
	c.mustHoldMutex("NotifyAll")
	c.waiters.WakeAll()
}

// mustHoldMutex panics unless the caller is the task that holds the mutex, on the loop of
// the waiting tasks. It checks the baton first, because a caller without the baton must not
// read the state of the holder.
func (c *Cond) mustHoldMutex(call string) {
	if h := c.holder(); h == nil || !h.Loop().Held() || h.State() != task.Running {
		misuse("%s by a caller that does not hold the mutex of the condition; call it between Lock and Unlock", call)
	}
	mustHoldBaton(c.waiters.First(), call)
}
