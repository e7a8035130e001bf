// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"

	"baton/task"
)

// A Cond lets tasks that hold a mutex wait for a change of what it protects. All
// its methods need the mutex; using them without it is misuse and panics. Several
// conditions may share one mutex.
type Cond struct {
	L *Mutex // which protects what the condition is about; not nil once it is used

	waiters task.WaitQueue
}

// NewCond returns a condition of what l protects.
func NewCond(l *Mutex) *Cond { return &Cond{L: l} }

// Wait unlocks the mutex, waits for a notification and locks the mutex again. It
// may switch. It returns with the mutex locked in every case: if ctx is
// cancelled it returns the *task.Canceled, but not before it has the mutex.
//
// A notification that has come is not taken back by a cancel: then Wait
// returns nil, and the caller acts on it or passes it on with Notify.
func (c *Cond) Wait(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if c.holder() != r {
		misuse("Wait of %v, which does not hold the mutex of the condition", r)
	}
	if err != nil {
		return err
	}
	meet(r, c.waiters.First(), "a condition") // before the mutex is unlocked
	c.L.Unlock()
	err = c.waiters.Wait(ctx, task.Text("a condition"))
	c.relock(ctx, r)
	return err
}

// holder is the task that holds the mutex, or nil.
func (c *Cond) holder() *task.Ref {
	if c.L == nil {
		misuse("a condition without a mutex; make it by NewCond, or set L")
	}
	return c.L.holder
}

// relock locks the mutex, whatever happens to ctx: the caller's deferred Unlock
// relies on it. The shield has no bound, for there is nothing that could be done
// at its end. r is the task of ctx.
func (c *Cond) relock(ctx context.Context, r *task.Ref) {
	if c.L.holder == nil {
		c.L.holder = r
		return
	}
	shielded, release := task.Shield(ctx, -1)
	defer release()
	c.L.wait(shielded, r) // nothing ends this wait but Unlock
}

// WaitFor waits until pred, called with the mutex locked, returns true. It may
// switch, and returns with the mutex locked like Wait; the error is that of Wait.
func (c *Cond) WaitFor(ctx context.Context, pred func() bool) error {
	r, err := task.Checkpoint(ctx)
	if c.holder() != r {
		misuse("WaitFor of %v, which does not hold the mutex of the condition", r)
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

// Notify wakes the n tasks that have waited longest, or all if they are fewer.
// They go on when they get the mutex. A notification is not kept for those who
// come later. It never switches.
func (c *Cond) Notify(n int) {
	c.mayNotify("Notify")
	for ; n > 0 && c.waiters.WakeOne() != nil; n-- {
	}
}

// NotifyAll wakes all waiting tasks. They go on one after the other, each with the
// mutex.
func (c *Cond) NotifyAll() {
	c.mayNotify("NotifyAll")
	c.waiters.WakeAll()
}

// mayNotify panics unless the caller is the task that holds the mutex, and of the
// loop of those that wait. The baton comes first: without it the state of the
// holder is none of the caller's business.
func (c *Cond) mayNotify(call string) {
	if h := c.holder(); h == nil || !h.Loop().Held() || h.State() != task.Running {
		misuse("%s by a caller that does not hold the mutex of the condition; call it between Lock and Unlock", call)
	}
	mayWake(c.waiters.First(), call)
}
