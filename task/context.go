// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// nodeKey is the key by which nodeOf finds the node behind a context of the standard
// library.
type nodeKey struct{}

// nodeOf returns the nearest node from which ctx was derived, or ctx itself if it is a
// node. It returns nil for a context that comes from no task. It is safe for
// concurrent use, and does not check the caller: enter does.
func nodeOf(ctx context.Context) *node {
	if n, ok := ctx.(*node); ok {
		return n
	}
	if ctx == nil {
		return nil
	}
	n, _ := ctx.Value(nodeKey{}).(*node)
	return n
}

// attach adds n to the tree as a child of parent. n starts cancelled if parent is
// cancelled, unless n is a shield: Shield then starts its time. ctx is the context from
// which the user derived n. The caller has set ref, scope and limit.
//
// If parent has ended and left the tree, n is attached to the nearest ancestor in the
// tree, so that cancels and reports find it.
func (n *node) attach(parent *node, ctx context.Context) {
	n.inherited = parent.inherited
	if ctx != context.Context(parent) {
		n.inherited = &inherited{ctx, parent.inherited.deadlines}
	}
	if n.limit != nil {
		n.inherited = n.limit.inherit(n.inherited)
	}
	if c := parent.current; c != nil && (n.limit == nil || !n.limit.shield) {
		n.canceled.Store(c)
		n.current = c
	}
	for parent.prev == nil && parent.parent != nil {
		parent = parent.parent
	}
	parent.append(n)
}

// inherit returns what the context of l inherits, if the contexts around it inherit outer.
// A timeout adds its own deadline. A shield hides all deadlines: also those of the
// standard library, which WithoutCancel hides without hiding the values.
func (l *limit) inherit(outer *inherited) *inherited {
	l.storage = *outer
	if l.shield {
		l.storage.deadlines = nil
		l.storage.values = context.WithoutCancel(outer.values)
	} else {
		l.outer, l.storage.deadlines = outer.deadlines, l
	}
	return &l.storage
}

// append makes child the last child of n. The children are linked by next and prev; next
// of the last is nil, and prev of the first is the last. So appending and removing need no
// search.
func (n *node) append(child *node) {
	child.parent, child.next = n, nil
	if n.first == nil {
		n.first, child.prev = child, child
		return
	}
	last := n.first.prev
	last.next, child.prev = child, last
	n.first.prev = child
}

// detach removes n from the tree, when its task or block has ended. Its children move to
// the end of its parent's children, in order: a task may outlive the block or the task
// under whose context it was started, and an outer cancel must still reach it.
func (n *node) detach() {
	p := n.parent
	if p.first == n {
		p.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else if p.first != nil {
		p.first.prev = n.prev
	}
	n.next, n.prev = nil, nil
	for child := n.first; child != nil; {
		next := child.next
		if r := child.ref; child == &r.ctx && n.ref.state == Done {
			r.started = false // the task that called Start has returned
		}
		p.append(child)
		child = next
	}
	n.first = nil
}

// asStdContext returns the stdContext of n, which it makes at the first call. It is safe
// for concurrent use. If two goroutines make one at the same time, both return the same.
// A cancel at the same time may not have seen the new one, so asStdContext checks for it
// afterwards.
func (n *node) asStdContext() *stdContext {
	if s := n.stdContext.Load(); s != nil {
		return s
	}
	parent := &stdParent{done: make(chan struct{})}
	ctx, stop := context.WithCancelCause(parent)
	s := &stdContext{ctx: ctx, parent: parent, stop: stop}
	if !n.stdContext.CompareAndSwap(nil, s) {
		return n.stdContext.Load()
	}
	if c := n.canceled.Load(); c != nil {
		s.cancel(c)
	}
	return s
}

// Done returns a channel that is closed when the context is cancelled, or when its task,
// scope or block has ended. Done is for other goroutines and other libraries: a task that
// receives from it blocks the whole loop.
func (n *node) Done() <-chan struct{} { return n.asStdContext().ctx.Done() }

// Err returns nil, context.Canceled or context.DeadlineExceeded, as package context
// requires. context.Cause returns the cause.
func (n *node) Err() error {
	if c := n.canceled.Load(); c != nil {
		return c.sentinel()
	}
	return nil
}

// Deadline returns the earliest deadline that follows the standard clock. The deadlines of
// a loop with another clock do not count.
//
// Other goroutines may call Deadline while the task moves its deadlines (Reschedule). So
// Deadline reads only inherited and atomics.
func (n *node) Deadline() (time.Time, bool) {
	var earliest time.Time
	sooner := func(when time.Time) {
		if earliest.IsZero() || when.Before(earliest) {
			earliest = when
		}
	}
	for l := n.inherited.deadlines; l != nil; l = l.outer {
		if when := l.deadline.Load(); when != nil && l.standard {
			sooner(*when)
		}
	}
	if when, ok := n.inherited.values.Deadline(); ok {
		sooner(when)
	}
	return earliest, !earliest.IsZero()
}

// Value returns the value for key: first for the key of this package and that of the
// context package, then from the outer contexts. nodeKey leads from a context of the
// standard library back to the node. With cancelCtxKey the context package finds the
// cancelCtx to which it attaches a derived context.
func (n *node) Value(key any) any {
	switch key {
	case nodeKey{}:
		return n
	case cancelCtxKey:
		return n.asStdContext().ctx.Value(key)
	}
	return n.inherited.values.Value(key)
}

// AfterFunc calls f on its own goroutine when the context is cancelled. stop reports
// whether it prevented the call. The context package calls AfterFunc if Value does not
// lead it to a cancelCtx.
func (n *node) AfterFunc(f func()) (stop func() bool) {
	return context.AfterFunc(n.asStdContext().ctx, f)
}
