// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"

	"baton/internal/saturate"
)

// cancel cancels n and everything below it, as c. It wakes the tasks that are parked
// there, in the order of the tree, so that a run can be replayed. The holder of the baton
// calls it. It does not switch.
//
// A node is marked before its parked task is woken and before its stdContext is cancelled.
// So a goroutine that sees Done closed sees Err set. A second cancel with the same c
// stops here, because everything below has c already. A different c comes from an outer
// context: it goes all the way down and replaces current, but not canceled. A shield holds
// c back from what is inside the shield.
func (n *node) cancel(c *Canceled) {
	if n.current == c {
		return
	}
	if c.when == 0 && c != released { // all loops share released
		c.when = max(n.ref.b.loop.Driver().Age(), 1)
	}
	if n.current != nil {
		n.supersede()
	}
	n.current = c
	if n.canceled.CompareAndSwap(nil, c) {
		if s := n.stdContext.Load(); s != nil {
			s.cancel(c)
		}
	}
	if r := n.ref; r != nil && r.state == Parked && r.worker.under == n {
		r.interrupt(c)
	}
	for child := n.first; child != nil; child = child.next {
		if child.limit != nil && child.limit.shield {
			child.limit.holdOff(c)
			continue
		}
		child.cancel(c)
	}
}

// cancelFor cancels n itself, for a cause. It does nothing if n is already cancelled, by
// itself or by an outer cancel: the first cause stays.
func (n *node) cancelFor(cause error) {
	if n.current == nil {
		n.cancel(newCanceled(n, cause))
	}
}

// supersede records the current cancel of a task before an outer cancel replaces it,
// because the task may still return it. The first cancel is in canceled.
func (n *node) supersede() {
	if r := n.ref; r != nil && n == &r.ctx && n.current != n.canceled.Load() {
		x := r.more()
		x.between = append(x.between, n.current)
	}
}

// end ends n together with its task or scope, and ends the waits that are still under n.
// Tasks below n live on, because their scope owns them. Blocks of the same task that were
// not released, and daemons, are cancelled.
func (n *node) end() {
	if n.current == nil {
		n.current = released
		n.canceled.Store(released)
		if s := n.stdContext.Load(); s != nil {
			s.cancel(released)
		}
	}
	for child := n.first; child != nil; child = child.next {
		if child.ref == n.ref || child.ref.daemon {
			child.cancel(released)
		}
	}
	n.detach()
}

// interrupt ends the wait of a parked task by a cancel, if the Waiter agrees. Otherwise
// Wake ends the wait later, the wait succeeds, and the next switch point returns the
// cancel.
func (r *Ref) interrupt(c *Canceled) {
	if r.worker.waiter.Cancel(r) {
		r.worker.abortedBy = c
		r.ready()
	}
}

// holdOff is called for a cancel that reaches a shield from outside. The first one starts
// the time limit. A later one comes from an outer context and replaces the first as pending, but
// does not extend the time.
func (l *limit) holdOff(c *Canceled) {
	if l.pending != nil {
		l.pending = c
		return
	}
	l.pending = c
	if l.bound >= 0 {
		b := l.ref.b
		b.loop.Driver().StartTimer(&l.timer, saturate.Add(b.loop.Time(), l.bound))
	}
}

// origin returns the node that was cancelled, or nil for a context of the standard
// library.
func (c *Canceled) origin() *node {
	n, _ := c.Scope.(*node)
	return n
}

// ownCancel returns the first cancel of n if n is its origin, and nil otherwise. A later
// cancel from an outer context does not change the result.
func (n *node) ownCancel() *Canceled {
	if c := n.canceled.Load(); c != nil && c.origin() == n {
		return c
	}
	return nil
}

// interrupted returns what a switch point under ctx must return: the cancel, or nil. ctx
// is n or a context of the standard library derived from n. n is checked first: if ctx has
// ended because of n, the cancel of n says more.
func (n *node) interrupted(ctx context.Context) *Canceled {
	if n.current != nil {
		return n.current
	}
	if ctx == context.Context(n) {
		return nil
	}
	if ctx.Err() != nil {
		return foreignCanceled(ctx)
	}
	return nil
}

// canceledBy returns the cancel of r's context that err stands for, or nil. r may have
// been cancelled several times: ctx.Err reports the first cancel, and calls return the
// most recent one at their time.
func (r *Ref) canceledBy(err error) *Canceled {
	cancels := []*Canceled{r.ctx.canceled.Load(), r.ctx.current}
	if x := r.extra.Load(); x != nil {
		cancels = append(cancels, x.between...)
	}
	for _, c := range cancels {
		if c != nil && c.matches(err) {
			return c
		}
	}
	return nil
}
