// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton/internal/relay"
)

// A Wait is a parked task as DeadlockError and Waits report it.
type Wait struct {
	Task   string        // name and function
	Reason string        // what it waits for
	Since  time.Duration // how long, on the loop's clock as of its last poll
	On     []string      // tasks that could end the wait, if anybody in particular

	// Of the cancel that the task has not obeyed yet: see Ref.Canceled.
	Cause    error         // why it was cancelled; nil if it was not
	Canceled time.Duration // how long ago, or 0
}

// String is one line: who has waited how long for what, and on whom; and, if the
// task has not obeyed a cancel yet, how long ago that was and why. It names at most
// eight of the tasks in On.
func (w Wait) String() string {
	s := fmt.Sprintf("%s has waited %v for %s", w.Task, w.Since.Round(time.Microsecond), w.Reason)
	if n := len(w.On) - maxNamed; n > 0 {
		s += fmt.Sprintf(", on %s and %d more", strings.Join(w.On[:maxNamed], ", "), n)
	} else if n > -maxNamed {
		s += ", on " + strings.Join(w.On, ", ")
	}
	return s + disobeyed(w.Cause, w.Canceled)
}

// maxNamed is how many tasks a report names: there may be 100,000.
const maxNamed = 8

// disobeyed is the end of a line about a task, for a cause that is not nil. Errors
// may have many lines, as a panic with its stack; the first one is enough here.
func disobeyed(cause error, ago time.Duration) string {
	if cause == nil {
		return ""
	}
	why, _, _ := strings.Cut(cause.Error(), "\n")
	if ago = ago.Round(time.Microsecond); ago == 0 {
		return fmt.Sprintf("; cancelled (%s)", why)
	}
	return fmt.Sprintf("; cancelled %v ago (%s)", ago, why)
}

// Tasks lists all tasks of the caller's loop that have not ended, in the order
// of their creation. The root task is among them. It never switches.
func Tasks(ctx context.Context) []*Ref { return enter(ctx).ref.b.tasks() }

// Waits describes all parked tasks of the caller's loop: who waits for what,
// since when, and on whom. It is in the order of Tasks, and never switches.
func Waits(ctx context.Context) []Wait { return enter(ctx).ref.b.waits() }

// Waiting describes the wait of a parked task; false means that it is not
// parked.
func (r *Ref) Waiting() (Wait, bool) {
	if r.state != Parked {
		return Wait{}, false
	}
	w := Wait{
		Task:   r.String(),
		Reason: r.worker.waiter.Reason(),
		Since:  r.b.loop.Driver().Age() - r.worker.since,
	}
	for _, on := range r.worker.waiter.Owners() {
		w.On = append(w.On, on.String())
	}
	if c, ago := r.Canceled(); c != nil {
		w.Cause, w.Canceled = c.Cause, ago
	}
	return w, true
}

// report is one line about a task that has not ended.
func (r *Ref) report() string {
	if w, ok := r.Waiting(); ok {
		return w.String()
	}
	s := fmt.Sprintf("%v is %v", r, r.state)
	if c, ago := r.Canceled(); c != nil {
		s += disobeyed(c.Cause, ago)
	}
	return s
}

// Stack returns the stack of a task that is parked, or of the caller itself, as
// runtime.Stack formats it, cut off after 64 KiB; nothing for a task that has
// not begun or has ended. The task's goroutine writes it down itself, so it is
// exact: the baton goes there and back, and no other task runs in between.
func (r *Ref) Stack() []byte {
	r.held("Stack")
	if r.worker == nil {
		return nil
	}
	return r.b.stack(r)
}

// stack returns the stack of r, which has a worker.
func (b *baton) stack(r *Ref) []byte {
	cur := b.cur
	var me *relay.Worker // the loop's own goroutine
	if cur != nil {
		me = &cur.worker.Worker
	}
	stack := b.relay.Stack(me, &r.worker.Worker)
	b.cur = cur
	return stack
}

// tasks walks the tree, which has every task that has not ended. Its order is
// that of contexts, so the tasks are sorted by age at the end.
func (b *baton) tasks() []*Ref {
	var list []*Ref
	b.walk(func(n *node) {
		if n.ref != nil && n == &n.ref.ctx {
			list = append(list, n.ref)
		}
	})
	slices.SortFunc(list, func(a, c *Ref) int { return int(a.id) - int(c.id) })
	return list
}

// walk calls fn for every node of the tree, the outer ones first. fn must not
// change the tree.
func (b *baton) walk(fn func(n *node)) {
	var walk func(n *node)
	walk = func(n *node) {
		fn(n)
		for child := n.first; child != nil; child = child.next {
			walk(child)
		}
	}
	walk(&b.root.ctx)
}

// waits is Waits for the holder of the baton, and for whoever runs the loop.
func (b *baton) waits() []Wait {
	var list []Wait
	for _, r := range b.tasks() {
		if w, ok := r.Waiting(); ok {
			list = append(list, w)
		}
	}
	return list
}
