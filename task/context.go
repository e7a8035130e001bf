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
	ref    *Ref      // the task that may switch under this context; nil above the root
	by     *Canceled // what switch points return; nil while not cancelled
	scope  *scope    // the nearest scope: where Go starts tasks
	parent *node     // whose cancel comes down here; nil for a root

	horizon *horizon // what the contexts further out tell

	// canceled is set once and decides Err and Cause, which must not change any
	// more once they have been told (package context's rule). by is the same
	// until a scope further out is cancelled too: then switch points return that
	// cancel, whose scope is the one to leave.
	canceled atomic.Pointer[Canceled]

	first      *node // children: those that a cancel goes down to, in order; its prev is the last one
	next, prev *node
	shadow     atomic.Pointer[shadow] // nil until somebody needs it: see shade
	limit      *limit                 // of a timeout or shield, or nil
}

// A horizon is what a context tells of those further out. Other goroutines read
// it, so it never changes; all contexts that tell the same share it.
type horizon struct {
	values    context.Context // the nearest one of the standard library
	deadlines *limit          // the nearest timeout, from which Deadline goes outwards, or nil
}

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
	for parent.prev == nil && parent.parent != nil {
		parent = parent.parent
	}
	parent.append(n)
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

// cancel ends n and everything below it, as c. What is parked there is
// interrupted; the order is that of the tree, so it can be replayed. The holder
// of the baton calls it; it wakes and does not switch.
//
// Every node is marked before what is parked under it is woken, and the
// standard library is told at once: a goroutine that sees Done closed finds Err
// set. The same c again stops the walk: what is below has it already. Another
// c, from further out, goes all the way down and replaces by, though not
// canceled. A shield is told of the cancel and keeps it from what is inside.
func (n *node) cancel(c *Canceled) {
	if n.by == c {
		return
	}
	if c.when == 0 && c != released { // released is shared by all loops
		c.when = max(n.ref.b.loop.Driver().Age(), 1)
	}
	if n.by != nil {
		n.supersede()
	}
	n.by = c
	if n.canceled.CompareAndSwap(nil, c) {
		if s := n.shadow.Load(); s != nil {
			s.cancel(c)
		}
	}
	if r := n.ref; r != nil && r.state == Parked && r.worker.under == n {
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

// end cancels n for a cause of its own, unless it is cancelled: by itself, and
// the first cause stays, or from further out, and then it is that which whoever
// is under n has to leave.
func (n *node) end(cause error) {
	if n.by == nil {
		n.cancel(newCanceled(n, cause))
	}
}

// supersede keeps the cancel of a task that gives way to one from further out: the task
// may still return it. The first cancel is in canceled.
func (n *node) supersede() {
	if r := n.ref; r != nil && n == &r.ctx && n.by != n.canceled.Load() {
		x := r.more()
		x.between = append(x.between, n.by)
	}
}

// origin is the node that was cancelled; nil for a context of the standard library.
func (c *Canceled) origin() *node {
	n, _ := c.Scope.(*node)
	return n
}

// mine is the cancel of n if the first one came from n itself: what its Err
// tells then. One from further out that has come since does not change that.
func (n *node) mine() *Canceled {
	if c := n.canceled.Load(); c != nil && c.origin() == n {
		return c
	}
	return nil
}

// expire ends n with the task or scope that it belongs to: whoever still waits
// for it elsewhere is released. Tasks below it live on, in the care of their
// scope. Blocks of the same task that nobody released are below it, and tasks of
// GoUnder: they end with it.
func (n *node) expire() {
	if n.by == nil {
		n.by = released
		n.canceled.Store(released)
		if s := n.shadow.Load(); s != nil {
			s.cancel(released)
		}
	}
	for child := n.first; child != nil; child = child.next {
		if child.ref == n.ref || child.ref.bound {
			child.cancel(released)
		}
	}
	n.detach()
}

// Done returns a channel that is closed when the context is cancelled, or has
// ended with its task, scope or block. To select on it in a task would hold the
// baton meanwhile: it is for other goroutines and foreign libraries.
func (n *node) Done() <-chan struct{} { return n.shade().ctx.Done() }

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
// the contexts further out hold. The first key is how a context of the standard
// library leads back to ours; the second is how that library finds the
// cancelCtx to hang a derived context on.
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
// stop reports whether it prevented that. The context package asks for it where
// Value does not lead it to a cancelCtx.
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
