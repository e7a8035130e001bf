// SPDX-License-Identifier: Apache-2.0

package task

import (
	"slices"
	"strings"
)

// A DeadlockError says that a loop had nothing left that could wake anybody,
// and which tasks were parked then. It is the cause with which they are
// cancelled. The waits are in the order in which the tasks were created.
type DeadlockError struct{ Waits []Wait }

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

// unshield has the cancel c, which has come to the outermost shields, go
// through those that hold it off. It is the same c, so that a deadlock is one
// error, the first.
//
// Shields within which a task is lost come first, for there nothing can be
// kept: what its cancel sets going may give others what they wait for, as the
// mutex that locks.Cond must have again, and then no promise is broken to them.
// All come only if nobody is lost, and tasks wait for each other in a circle.
func (b *baton) breakShields(c *Canceled) {
	if !b.breakMatching(c, (*node).stuck) {
		b.breakMatching(c, func(*node) bool { return true })
	}
}

// pierce ends those of the shields that hold c off which it is asked to, the
// outer ones first, in the order of the tree, and reports whether there were
// any.
func (b *baton) breakMatching(c *Canceled, which func(shield *node) bool) (pierced bool) {
	b.walk(func(n *node) {
		if n.limit == nil || !n.limit.shield || n.current == c || !which(n) {
			return
		}
		pierced = true
		n.cancel(c)
	})
	return pierced
}

// lost reports whether n's task, or one under n, is parked and waits for
// nobody. One that waits for another task is not: that is so of the owner of a
// scope, and of whoever waits for a mutex.
func (n *node) stuck() bool {
	if r := n.ref; r.state == Parked && !r.waitsForTask() {
		return true
	}
	for child := n.first; child != nil; child = child.next {
		if child.stuck() {
			return true
		}
	}
	return false
}

// waitsForTask reports whether r is parked on another task that has not ended.
func (r *Ref) waitsForTask() bool {
	return r.state == Parked && slices.ContainsFunc(r.worker.waiter.Owners(), func(on *Ref) bool { return on != r && on.state != Done })
}
