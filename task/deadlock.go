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
func (b *baton) unshield(c *Canceled) {
	if !b.pierce(c, (*node).lost) {
		b.pierce(c, func(*node) bool { return true })
	}
}

// pierce ends those of the shields that hold c off which it is asked to, the
// outer ones first, in the order of the tree, and reports whether there were
// any.
func (b *baton) pierce(c *Canceled, which func(shield *node) bool) (pierced bool) {
	b.walk(func(n *node) {
		if n.limit == nil || !n.limit.shield || n.by == c || !which(n) {
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
func (n *node) lost() bool {
	if r := n.ref; r.state == Parked && !r.waitsForTask() {
		return true
	}
	for child := n.first; child != nil; child = child.next {
		if child.lost() {
			return true
		}
	}
	return false
}

// waitsForTask reports whether r is parked on another task that has not ended.
func (r *Ref) waitsForTask() bool {
	return r.state == Parked && slices.ContainsFunc(r.worker.on.Owners(), func(on *Ref) bool { return on != r && on.state != Done })
}
