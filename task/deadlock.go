// SPDX-License-Identifier: Apache-2.0

package task

import (
	"slices"
	"strings"
)

// A DeadlockError reports that a loop was idle while tasks were parked, so that nothing
// could ever wake them. It is the cause with which Run then cancels all tasks. Waits lists
// the parked tasks in the order of their creation.
type DeadlockError struct{ Waits []Wait }

// Error returns a message with one line for each wait.
func (d *DeadlockError) Error() string {
	var b strings.Builder
	b.WriteString("task: deadlock: nothing is left that could wake a task")
	for _, w := range d.Waits {
		b.WriteString("\n\t" + w.String())
	}
	return b.String()
}

// maxDeadlocks is how often a tree that was cancelled for a deadlock may deadlock again.
// Each time the cancel passes the outermost shields, so the constant also limits how many
// shields a task may make one after the other.
const maxDeadlocks = 100

// breakShields makes the cancel c, which has reached the outermost shields, pass those
// that hold it back. It is the same c each time, so a deadlock remains one error: the
// first.
//
// Shields with a stuck task inside are broken first: their cleanup cannot succeed anyway.
// Their cancel may free other tasks, such as a task in locks.Cond that needs its mutex
// back, and then the other shields keep their promise. If no task is stuck, tasks wait for
// each other in a circle, and all shields are broken.
func (b *baton) breakShields(c *Canceled) {
	if !b.breakMatching(c, (*node).stuck) {
		b.breakMatching(c, func(*node) bool { return true })
	}
}

// breakMatching cancels, with c, the shields that hold c back and for which which returns
// true, outer ones first, in the order of the tree. It reports whether there were any.
func (b *baton) breakMatching(c *Canceled, which func(shield *node) bool) (found bool) {
	b.walk(func(n *node) {
		if n.limit == nil || !n.limit.shield || n.current == c || !which(n) {
			return
		}
		found = true
		n.cancel(c)
	})
	return found
}

// stuck reports whether n's task, or a task below n, is parked and waits for no other
// task. The owner of a scope and a task that waits for a mutex do wait for other tasks.
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
