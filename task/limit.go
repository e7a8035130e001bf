// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// ShieldTime is how long a Shield without a bound of its own lasts once a
// cancel has come.
const ShieldTime = 5 * time.Second

// Shield returns a context that a cancel from outside does not reach before it
// has lasted for bound (zero is ShieldTime, negative is without bound): cleanup
// may still switch, but not for ever. Only a deadlock that is left when all has
// been cancelled goes through every shield: see Run. The context keeps the
// values of ctx. Release ends it, and must be called. (context.WithoutCancel is
// no shield: a cancel of the task ends its waits under that too, and only a
// Shield says for how long it may go on.)
//
// The bound begins when the cancel comes, or with Shield if it has come before.
// Neither making a shield nor releasing it switches. Trio has it as an
// attribute of a cancel scope, without the bound.
func Shield(ctx context.Context, bound time.Duration) (shielded context.Context, release context.CancelFunc) {
	if bound == 0 {
		bound = ShieldTime
	}
	l := newLimit(ctx)
	l.shield, l.bound = true, bound
	parent := nodeOf(ctx)
	l.attach(parent, ctx)
	if c := parent.interrupted(ctx); c != nil {
		l.holdOff(c)
	}
	if ctx != context.Context(parent) {
		l.stop = parent.register(ctx, l.holdOff)
	}
	return &l.node, l.release
}

// withDeadline is await.WithDeadline.
func withDeadline(ctx context.Context, when time.Time) (timed context.Context, release context.CancelFunc) {
	l := newLimit(ctx)
	parent := nodeOf(ctx)
	l.attach(parent, ctx)
	l.follow(ctx)
	l.set(when)
	return &l.node, l.release
}

// withCancel is bridge.WithCancel: a limit whose time never comes.
func withCancel(ctx context.Context) (c context.Context, cancel func(cause error), release context.CancelFunc) {
	l := newLimit(ctx)
	l.timeless = true
	l.attach(nodeOf(ctx), ctx)
	l.follow(ctx)
	return &l.node, l.cancelFor, l.release
}

// reschedule is await.Reschedule.
func reschedule(ctx context.Context, when time.Time) bool {
	for n := enter(ctx); n != nil; n = n.parent {
		if l := n.limit; l != nil && !l.shield && !l.timeless {
			if l.current != nil {
				return false
			}
			l.set(when)
			return true
		}
		if n == &n.ref.ctx {
			break
		}
	}
	return false
}

// expired reports whether err only says that the deadline of timed, a context of
// withDeadline, has passed. Something further out may have been cancelled since.
func expired(timed context.Context, err error) bool {
	c := timed.(*node).ownCancel()
	return c != nil && isOnly(err, c.matches)
}

// newLimit makes a limit of the calling task under ctx. The caller attaches it,
// when it knows which of the two it is.
func newLimit(ctx context.Context) *limit {
	n := enter(ctx)
	l := &limit{standard: !n.ref.b.virtual}
	l.ref, l.scope = n.ref, n.scope
	l.limit = l
	l.timer.Target = l
	return l
}

// follow has a standard context around the parent cancel l too.
func (l *limit) follow(ctx context.Context) {
	if ctx != context.Context(l.parent) {
		l.stop = l.parent.follow(ctx, &l.node)
	}
}

// set moves the deadline to when; the zero time is none. One that has passed
// acts here and now: a turn later would be a switch point too late.
func (l *limit) set(when time.Time) {
	b := l.ref.b
	if when.IsZero() {
		b.loop.Driver().StopTimer(&l.timer)
		l.deadline.Store(nil)
		return
	}
	l.deadline.Store(&when)
	if l.current != nil {
		return
	}
	if !when.After(b.loop.Time()) {
		b.loop.Driver().StopTimer(&l.timer)
		l.Wake()
		return
	}
	b.loop.Driver().StartTimer(&l.timer, when)
}

// Wake is the timer's: the deadline or the bound has passed. It is the loop's
// to call, and set's.
func (l *limit) Wake() {
	if l.shield {
		l.cancel(l.pending)
		return
	}
	if l.current == nil {
		l.cancel(newCanceled(&l.node, context.DeadlineExceeded))
	}
}

// release ends the block. A standard context calls it from any goroutine; only
// the holder may touch the tree, so for all others it goes through the mailbox.
func (l *limit) release() {
	b := l.ref.b
	if b.word.Held() {
		l.endBlock()
	} else {
		b.loop.Driver().Post((*postedRelease)(l))
	}
}

// drop ends the limit, once: whatever lives under it, tasks that were started
// there included, is cancelled as released, and it leaves the tree.
func (l *limit) endBlock() {
	b := l.ref.b
	if l.ended {
		return
	}
	l.ended = true
	b.loop.Driver().StopTimer(&l.timer)
	if l.stop != nil {
		l.stop()
	}
	if l.current == nil {
		l.cancel(released)
	}
	l.detach()
}

// lateRelease is a release that came from another goroutine.
type postedRelease limit

func (l *postedRelease) Wake() { (*limit)(l).endBlock() }
