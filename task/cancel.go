// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"

	"baton/internal/saturate"
)

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
	if n.current == c {
		return
	}
	if c.when == 0 && c != released { // released is shared by all loops
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

// end cancels n for a cause of its own. It does nothing if n is cancelled already, by
// itself or from further out: the first cause stays.
func (n *node) cancelFor(cause error) {
	if n.current == nil {
		n.cancel(newCanceled(n, cause))
	}
}

// supersede keeps the cancel of a task that gives way to one from further out: the task
// may still return it. The first cancel is in canceled.
func (n *node) supersede() {
	if r := n.ref; r != nil && n == &r.ctx && n.current != n.canceled.Load() {
		x := r.more()
		x.between = append(x.between, n.current)
	}
}

// expire ends n together with its task or scope: what still waits for n elsewhere is
// released. Tasks below n live on, owned by their scope. Blocks of the same task that
// were not released, and tasks of goUnder, end with n.
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

// interrupt ends the wait of a parked task by a cancel, unless what it waits
// for must come back first. Then Wake ends the wait, which has had its effect,
// and the next switch point tells of the cancel.
func (r *Ref) interrupt(c *Canceled) {
	if r.worker.waiter.Cancel(r) {
		r.worker.abortedBy = c
		r.ready()
	}
}

// arm starts the bound of a shield when a cancel comes from outside. A second
// one comes from further out and takes the first one's place, but the time goes
// on: a shield lasts for its bound, however many want to end it.
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

// origin is the node that was cancelled; nil for a context of the standard library.
func (c *Canceled) origin() *node {
	n, _ := c.Scope.(*node)
	return n
}

// mine is the cancel of n if the first one came from n itself: what its Err
// tells then. One from further out that has come since does not change that.
func (n *node) ownCancel() *Canceled {
	if c := n.canceled.Load(); c != nil && c.origin() == n {
		return c
	}
	return nil
}

// interrupted returns what a switch point under ctx, which belongs to n, must
// return: nil, or the cancel. n is asked before a context of the standard
// library that was derived from it: if that has ended because of n, n says
// more.
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

// canceledBy returns the cancel of r's context that err tells of, or nil. Of several
// cancels ctx.Err tells the first, and calls of r have returned the last of their time.
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
