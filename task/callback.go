// SPDX-License-Identifier: Apache-2.0

package task

import (
	"slices"

	"baton/loop"
)

// A callback is a done callback: to be queued, queued, or removed. It belongs
// to the loop.
type callback struct {
	fn      func()
	list    *callbacks   // where it waits for the result
	handle  *loop.Handle // nil until it is queued; then list means nothing
	removed bool
}

// queue makes it ready, when the result has come.
func (c *callback) queue(l *loop.Loop) { c.handle = l.CallSoon(c.fn) }

// remove takes it back wherever it stands, even out of the turn that runs, and
// reports false if it has run or was removed before.
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

// callbacks are those that wait for one result, in the order in which they were
// added.
type callbacks struct {
	all     []*callback
	removed int // how many of all are removed
}

func (l *callbacks) add(c *callback) {
	c.list = l
	l.all = append(l.all, c)
}

// removedOne counts one that was removed. It stays until half of all are removed, so
// that removing one needs no search.
func (l *callbacks) removedOne() {
	if l.removed++; l.removed > len(l.all)/2 {
		l.all = slices.DeleteFunc(l.all, func(c *callback) bool { return c.removed })
		l.removed = 0
	}
}

// queue makes ready those that are not removed. None is left in l.
func (l *callbacks) queue(on *loop.Loop) {
	for _, c := range l.all {
		if !c.removed {
			c.queue(on)
		}
	}
	*l = callbacks{}
}
