// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// A node is a context of ours: a place in the tree of what can be cancelled. A
// task has one, and so have a scope, a timeout and a shield inside it. It says
// which task may use it, and it is light: cancelling a scope of many tasks
// marks their nodes and wakes those that are parked, nothing else. Only what is
// asked for Done or handed to context.WithCancel grows a shadow in the standard
// library.
//
// Done, Err, Value, Deadline and AfterFunc are safe from every goroutine; all
// else belongs to the baton.
type node struct {
	ref    *Ref      // the task that may switch under this context
	by     *Canceled // what switch points return: see canceled
	scope  *scope    // the nearest scope: where Go starts tasks
	parent *node     // whose cancel comes down here; nil for a root

	horizon *horizon // what the contexts further out tell

	// canceled is set once and decides Err and Cause; by is the same until a
	// scope further out is cancelled too.
	canceled atomic.Pointer[Canceled]

	first      *node // children: those that a cancel goes down to, in order; its prev is the last one
	next, prev *node
	shadow     atomic.Pointer[shadow]
	limit      *limit // of a timeout or shield, or nil
}

// A horizon is what a context tells of those further out. Other goroutines read
// it, so it never changes; all contexts that tell the same share it.
type horizon struct {
	values    context.Context // the nearest one of the standard library
	deadlines *limit          // the nearest timeout, from which Deadline goes outwards, or nil
}

// nodeKey finds our node behind contexts of the standard library.
type nodeKey struct{}

// nodeOf returns the nearest node that ctx is or was derived from.
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

// attach makes n a child of parent in the tree: it starts cancelled if parent
// is. ctx is what the user derived it from.
func (n *node) attach(parent *node, ctx context.Context) {
	n.horizon = parent.horizon
	if ctx != context.Context(parent) {
		n.horizon = &horizon{ctx, parent.horizon.deadlines}
	}
	if n.limit != nil {
		n.horizon = n.limit.seenFrom(n.horizon)
	}
	if c := parent.by; c != nil && (n.limit == nil || !n.limit.shield) {
		n.canceled.Store(c)
		n.by = c
	}
	parent.append(n)
}

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

// detach takes n out of the tree, when its task or block has ended. What is
// left below it moves up.
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
		p.append(child)
		child = next
	}
	n.first = nil
}

// cancel ends n and everything below it, as c. What is parked there is
// interrupted; the order is that of the tree, so it can be replayed.
func (n *node) cancel(c *Canceled) {
	if n.by == c {
		return
	}
	n.by = c
	if n.canceled.CompareAndSwap(nil, c) {
		if s := n.shadow.Load(); s != nil {
			s.cancel(c)
		}
	}
	if r := n.ref; r != nil && r.state == Parked && r.under == n {
		r.interrupt(c)
	}
	for child := n.first; child != nil; child = child.next {
		if child.limit != nil && child.limit.shield {
			child.limit.arm(c)
			continue
		}
		child.cancel(c)
	}
}

// mine is the cancel of n if it came from n itself, and not from further out.
func (n *node) mine() *Canceled {
	if n.by != nil && n.by.origin == n {
		return n.by
	}
	return nil
}

// expire ends n with the task or scope that it belongs to: whoever still waits
// for it elsewhere is released. Tasks below it live on, in the care of their
// scope.
func (n *node) expire() {
	if n.by == nil {
		n.by = released
		n.canceled.Store(released)
		if s := n.shadow.Load(); s != nil {
			s.cancel(released)
		}
	}
	for child := n.first; child != nil; child = child.next {
		if child.ref == n.ref {
			child.cancel(released)
		}
	}
	n.detach()
}

// Done returns a channel that is closed when the context is cancelled.
func (n *node) Done() <-chan struct{} { return n.shade().ctx.Done() }

// Err returns nil, context.Canceled or context.DeadlineExceeded.
func (n *node) Err() error {
	if c := n.canceled.Load(); c != nil {
		return c.sentinel()
	}
	return nil
}

// Deadline tells the earliest deadline that the standard clock agrees with:
// none if the loop's clock is another one.
func (n *node) Deadline() (time.Time, bool) {
	var earliest time.Time
	sooner := func(when time.Time) {
		if earliest.IsZero() || when.Before(earliest) {
			earliest = when
		}
	}
	for l := n.horizon.deadlines; l != nil; l = l.outer {
		if when := l.shown.Load(); when != nil && l.standard {
			sooner(*when)
		}
	}
	if when, ok := n.horizon.values.Deadline(); ok {
		sooner(when)
	}
	return earliest, !earliest.IsZero()
}

// Value looks up the keys of the context package and of this one, and then what
// the contexts further out hold.
func (n *node) Value(key any) any {
	switch key {
	case nodeKey{}:
		return n
	case shadowKey:
		return n.shade().ctx.Value(key)
	}
	return n.horizon.values.Value(key)
}

// AfterFunc has f run when the context is cancelled, on a goroutine of its own;
// stop reports whether it prevented that. The context package uses it.
func (n *node) AfterFunc(f func()) (stop func() bool) {
	return context.AfterFunc(n.shade().ctx, f)
}

// String names the context in messages.
func (n *node) String() string {
	switch {
	case n.ref == nil:
		return "a context without a task"
	case n == &n.ref.ctx:
		return n.ref.String()
	case n.limit != nil:
		return n.limit.String()
	}
	return fmt.Sprintf("a scope of %v", n.ref)
}
