// SPDX-License-Identifier: Apache-2.0

package task

import (
	"slices"

	"baton/loop"
)

// A callback is a done callback of a task or future. It waits for the result, is queued,
// or is removed. It belongs to the loop.
type callback struct {
	fn      func()
	list    *callbacks   // where it waits for the result
	handle  *loop.Handle // nil until it is queued; list is unused from then on
	removed bool
}

// queue puts the callback into the ready queue, when the result has come.
func (c *callback) queue(l *loop.Loop) { c.handle = l.CallSoon(c.fn) }

// remove removes the callback, even from the batch of the current turn. It reports false
// if the callback has run or was removed before.
func (c *callback) remove() bool {
	if c.removed || c.handle != nil && !c.handle.Pending() {
		return false
	}
	c.removed, c.fn = true, nil
	if c.handle != nil {
		c.handle.Cancel()
	} else {
		c.list.removedOne()
	}
	return true
}

// callbacks holds the callbacks that wait for one result, in the order in which they were
// added.
type callbacks struct {
	all     []*callback
	removed int // how many elements of all are removed
}

func (l *callbacks) add(c *callback) {
	c.list = l
	l.all = append(l.all, c)
}

// removedOne counts one removed callback. Removed callbacks stay in the list until they
// are more than half of it, so that a removal needs no search.
func (l *callbacks) removedOne() {
	if l.removed++; l.removed > len(l.all)/2 {
		l.all = slices.DeleteFunc(l.all, func(c *callback) bool { return c.removed })
		l.removed = 0
	}
}

// queue queues all callbacks that are not removed, and empties l.
func (l *callbacks) queue(on *loop.Loop) {
	for _, c := range l.all {
		if !c.removed {
			c.queue(on)
		}
	}
	*l = callbacks{}
}
