// SPDX-License-Identifier: Apache-2.0

package task

import (
	"time"

	"baton/loop"
)

// SetName names the task in reports. It belongs to the loop, as all that
// changes a task.
func (r *Ref) SetName(name string) {
	r.held("SetName")
	r.more().name.Store(&name)
}

// Loop returns the task's loop.
func (r *Ref) Loop() *loop.Loop { return r.b.loop }

// State tells where the task stands.
func (r *Ref) State() State { return r.state }

// Done reports whether the task has ended.
func (r *Ref) Done() bool { return r.state == Done }

// Cancel cancels the task with a cause (nil is context.Canceled) and reports
// false if it has already ended. It goes down to what the task has started
// under its own context; its scope is not affected. The first cause stays, and
// so does a cancel from further out that has come before. It never switches:
// the task learns of it at its next switch point, or where it is parked, in the
// loop's next turn. A task may cancel itself.
func (r *Ref) Cancel(cause error) bool {
	r.held("Cancel")
	if r.state == Done {
		return false
	}
	r.ctx.cancelFor(cause)
	return true
}

// Canceled returns the cancel that the task has not obeyed yet: its own, or that of
// the scope or timeout in which it is parked. ago is how long ago that was, on the
// loop's clock as of its last poll; 0 if it is not known, as for the end of a timeout
// block. Canceled returns nil if there is no cancel, and for a task that has ended.
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

// AddDoneCallback has fn run as a callback of the loop when the task has ended;
// see [Future.AddDoneCallback]. A callback does not count as awaiting the task. It may
// call Result, which does.
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

// watch makes the caller, await.All or await.Each, one that awaits r, until stop is
// called: the error of r is its own, if r has failed or fails meanwhile.
func (r *Ref) addWatcher() (stop func()) {
	if r.state == Done {
		r.observed = true
		return nothing
	}
	x := r.more()
	x.watchers++
	return func() { x.watchers-- }
}
