// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A DeadlockError says that a loop had nothing left that could wake anybody,
// and which tasks were parked then. It is the cause with which they are
// cancelled. The waits are in the order in which the tasks were created.
type DeadlockError struct{ Waits []Wait }

// A Wait is a parked task as DeadlockError and Waits report it.
type Wait struct {
	Task   string        // name and function
	Reason string        // what it waits for
	Since  time.Duration // how long, on the loop's clock as of its last poll
	On     []string      // tasks that could end the wait, if anybody in particular
}

// String is one line: who waits for what and on whom.
func (w Wait) String() string {
	s := fmt.Sprintf("%s waits for %s since %v", w.Task, w.Reason, w.Since.Round(time.Microsecond))
	if len(w.On) > 0 {
		s += ", on " + strings.Join(w.On, ", ")
	}
	return s
}

// Error lists the waits, one a line.
func (d *DeadlockError) Error() string {
	var b strings.Builder
	b.WriteString("task: deadlock: nothing is left that could wake a task")
	for _, w := range d.Waits {
		b.WriteString("\n\t" + w.String())
	}
	return b.String()
}

// maxDeadlocks is how often a tree that was cancelled for a deadlock may be
// deadlocked again. Each time ends shields of all tasks, so it bounds how many a
// task makes one after the other.
const maxDeadlocks = 100

// unshield has the cancel c, which has come to all shields, go through those that
// hold it off. It is the same c, so that a deadlock is one error, the first.
//
// Tasks that wait for another one come only after all that wait for nobody: those
// may yet give them what they wait for, as the mutex that locks.Cond must have
// again, and then no promise is broken to them.
func (b *baton) unshield(c *Canceled) {
	if !b.pierce(c, false) {
		b.pierce(c, true)
	}
}

// pierce ends shields, the outer ones first, in the order of the tree, and reports
// whether there were any: those of all tasks, or of those that wait for nobody.
func (b *baton) pierce(c *Canceled, all bool) (pierced bool) {
	b.walk(func(n *node) {
		if n.limit == nil || !n.limit.shield || n.by == c || !all && n.ref.waitsForTask() {
			return
		}
		pierced = true
		n.cancel(c)
	})
	return pierced
}

// waitsForTask reports whether r is parked on another task that has not ended.
func (r *Ref) waitsForTask() bool {
	return r.state == Parked && slices.ContainsFunc(r.on.Owners(), func(on *Ref) bool { return on != r && on.state != Done })
}
