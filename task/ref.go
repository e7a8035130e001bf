// SPDX-License-Identifier: Apache-2.0

package task

import (
	"time"

	"baton/loop"
)

// SetName sets the name of the task for reports. Other goroutines may call Name at the
// same time.
func (r *Ref) SetName(name string) {
	r.held("SetName")
	r.more().name.Store(&name)
}

// Loop returns the task's loop.
func (r *Ref) Loop() *loop.Loop { return r.b.loop }

// State returns the state of the task.
func (r *Ref) State() State { return r.state }

// Done reports whether the task has ended.
func (r *Ref) Done() bool { return r.state == Done }

// Cancel cancels the task, with a cause; nil means context.Canceled. It returns false if
// the task has ended, and true otherwise. The cancel also reaches what was started under
// the task's own context, but not the task's scope. If the task is already cancelled, by
// itself or by an outer cancel, the first cause stays.
//
// Cancel never switches. A parked task returns from its wait in the loop's next turn;
// other tasks receive the cancel at their next switch point. A task may cancel itself.
func (r *Ref) Cancel(cause error) bool {
	r.held("Cancel")
	if r.state == Done {
		return false
	}
	r.ctx.cancelFor(cause)
	return true
}

// Canceled returns the cancel that the task has received but has not obeyed yet: its own,
// or that of the scope or timeout in which it is parked. It returns nil if there is none,
// and if the task has ended. ago is how long ago the cancel was, on the loop's clock as of
// the last poll. It is 0 if the time is unknown, as for the end of a timeout block.
func (r *Ref) Canceled() (c *Canceled, ago time.Duration) {
	switch {
	case r.state == Done:
		return nil, 0
	case r.state == Parked && r.worker.under.current != nil:
		c = r.worker.under.current
	default:
		c = r.ctx.current
	}
	if c != nil && c.when > 0 {
		ago = r.b.loop.Driver().Age() - c.when
	}
	return c, ago
}

// AddDoneCallback makes the loop call fn when the task has ended: see
// [Future.AddDoneCallback]. A callback does not count as awaiting the task, but may call
// Result, which does.
func (r *Ref) AddDoneCallback(fn func(*Ref)) (remove func() bool) {
	mustHaveFunc(fn != nil, "AddDoneCallback")
	r.held("AddDoneCallback")
	c := &callback{fn: func() { fn(r) }}
	if r.state == Done {
		c.queue(r.b.loop)
	} else {
		r.more().callbacks.add(c)
	}
	return c.remove
}
