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

// A Wait describes the wait of a parked task, in reports: see [Waits] and [DeadlockError].
type Wait struct {
	Task   string        // the task, as returned by Ref.String
	Reason string        // what the task waits for
	Since  time.Duration // how long it has waited, on the loop's clock as of the last poll
	On     []string      // the tasks that could end the wait, if known

	// The cancel that the task has not obeyed yet: see Ref.Canceled.
	Cause    error         // why the task was cancelled; nil if it was not
	Canceled time.Duration // how long ago, or 0 if unknown
}

// String returns one line: which task has waited for how long, for what, and on which
// tasks. It names at most eight of the tasks in On. If the task has not obeyed a cancel
// yet, the line says how long ago the cancel was, and its cause.
func (w Wait) String() string {
	s := fmt.Sprintf("%s has waited %v for %s", w.Task, w.Since.Round(time.Microsecond), w.Reason)
	if n := len(w.On) - maxNamed; n > 0 {
		s += fmt.Sprintf(", on %s and %d more", strings.Join(w.On[:maxNamed], ", "), n)
	} else if n > -maxNamed {
		s += ", on " + strings.Join(w.On, ", ")
	}
	return s + disobeyed(w.Cause, w.Canceled)
}

// maxNamed is how many tasks a report names; a task may wait on very many.
const maxNamed = 8

// disobeyed returns the end of a line about a cancelled task; cause may be nil. Errors may
// have many lines, such as a panic with its stack: only the first line is used.
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

// Tasks returns all tasks of the caller's loop that have not ended, in the order of their
// creation. The main task is among them. Tasks never switches.
func Tasks(ctx context.Context) []*Ref { return enter(ctx).ref.b.tasks() }

// Waits describes all parked tasks of the caller's loop, in the order of their creation.
// It never switches.
func Waits(ctx context.Context) []Wait { return enter(ctx).ref.b.waits() }

// Waiting describes the wait of a parked task. It returns false if the task is not parked.
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

// report returns one line about a task that has not ended.
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

// Stack returns the stack of a parked task, or of the calling task itself, in the format
// of runtime.Stack, up to 64 KiB. It returns nil for a task that has not begun or has
// ended. The task's own goroutine records the stack: it receives the baton for that and
// passes it back, and no other task runs meanwhile.
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
	var me *relay.Worker // nil stands for the loop's own goroutine
	if cur != nil {
		me = &cur.worker.Worker
	}
	stack := b.relay.Stack(me, &r.worker.Worker)
	b.cur = cur
	return stack
}

// tasks returns the tasks that have not ended, sorted by ID. It finds them in the tree of
// nodes, which has another order.
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

// walk calls fn for every node of the tree, parents first. fn must not change the tree.
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

// waits is Waits for the holder of the baton, and for the goroutine that ran the loop,
// after the loop has returned.
func (b *baton) waits() []Wait {
	var list []Wait
	for _, r := range b.tasks() {
		if w, ok := r.Waiting(); ok {
			list = append(list, w)
		}
	}
	return list
}
