// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// nodeKey finds our node behind contexts of the standard library.
type nodeKey struct{}

// nodeOf returns the nearest node that ctx is or was derived from. It is nil
// for a context that comes from no task. Safe from every goroutine; enter asks
// whether the caller may use it.
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
// is. ctx is what the user derived it from. The caller has set ref, scope and
// limit.
//
// A shield alone starts alive below a cancelled parent; Shield has it armed
// then. Below a block that has ended and left the tree n stands where that has
// stood: what lives must be found there, by a cancel and by reports.
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

// seenFrom is what the context of l tells, when those further out tell o: a
// timeout adds its own deadline, and a shield hides theirs. Those of the
// standard library may have one, too: WithoutCancel hides it and keeps the
// values.
func (l *limit) inherit(o *inherited) *inherited {
	l.storage = *o
	if l.shield {
		l.storage.deadlines = nil
		l.storage.values = context.WithoutCancel(o.values)
	} else {
		l.outer, l.storage.deadlines = o.deadlines, l
	}
	return &l.storage
}

// append makes child the last of n's children. They are a list through the
// nodes themselves, ended by nil in next; the prev of the first is the last, so
// that neither appending nor leaving from the middle searches.
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
// left below it moves up. It moves to the end of the parent's children, in
// order: a task may outlive the block or the task under whose context it was
// started, and a cancel from further out must still find it.
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
			r.started = false // its starter has returned
		}
		p.append(child)
		child = next
	}
	n.first = nil
}

// shade returns the shadow of n. Safe from every goroutine: a race with another
// maker is won by one of them, and a race with cancel is looked for afterwards.
func (n *node) asStdContext() *stdContext {
	if s := n.stdContext.Load(); s != nil {
		return s
	}
	g := &stdParent{done: make(chan struct{})}
	ctx, stop := context.WithCancelCause(g)
	s := &stdContext{ctx: ctx, parent: g, stop: stop}
	if !n.stdContext.CompareAndSwap(nil, s) {
		return n.stdContext.Load()
	}
	if c := n.canceled.Load(); c != nil {
		s.cancel(c)
	}
	return s
}

// Done returns a channel that is closed when the context is cancelled, or has
// ended with its task, scope or block. To select on it in a task would hold the
// baton meanwhile: it is for other goroutines and foreign libraries.
func (n *node) Done() <-chan struct{} { return n.asStdContext().ctx.Done() }

// Err returns nil, context.Canceled or context.DeadlineExceeded: the bare
// sentinel, as package context promises. context.Cause tells why.
func (n *node) Err() error {
	if c := n.canceled.Load(); c != nil {
		return c.sentinel()
	}
	return nil
}

// Deadline tells the earliest deadline that the standard clock agrees with:
// none if the loop's clock is another one.
//
// Only horizons and atomics are read here: other goroutines ask, while the task
// moves its deadlines (Reschedule).
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

// Value looks up the keys of the context package and of this one, and then what
// the contexts further out hold. The first key is how a context of the standard
// library leads back to ours; the second is how that library finds the
// cancelCtx to hang a derived context on.
func (n *node) Value(key any) any {
	switch key {
	case nodeKey{}:
		return n
	case cancelCtxKey:
		return n.asStdContext().ctx.Value(key)
	}
	return n.inherited.values.Value(key)
}

// AfterFunc has f run when the context is cancelled, on a goroutine of its own;
// stop reports whether it prevented that. The context package asks for it where
// Value does not lead it to a cancelCtx.
func (n *node) AfterFunc(f func()) (stop func() bool) {
	return context.AfterFunc(n.asStdContext().ctx, f)
}
