// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"baton/internal/bridge"
	"baton/internal/saturate"
	"baton/loop"
)

// ShieldTime is how long a Shield without a bound of its own lasts once a
// cancel has come.
const ShieldTime = 5 * time.Second

// A limit is a context with a time: a deadline, or a shield, which holds a
// cancel off for a bounded time. Its timer runs on the loop's clock.
type limit struct {
	node
	timer    loop.Timer
	stop     func() // ends the watching of a standard context, or nil
	ended    bool   // released
	standard bool   // the loop's clock is that of package time

	// What Deadline tells other goroutines: when, or nil if the deadline was taken
	// away, and where to go on.
	shown  atomic.Pointer[time.Time]
	outer  *limit  // the next timeout outwards, as far as no shield hides it
	inside horizon // what the context tells; here, so that it is no allocation

	timeless bool // of withCancel: neither a deadline nor a shield

	shield  bool
	bound   time.Duration // negative is none
	pending *Canceled     // what a shield holds off: the last cancel from outside
}

// released is the cancel of a block, scope or task that has ended: whoever
// still waits under its context was left behind, and goes on with this.
var released = newCanceled(nil, context.Canceled)

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

// Package await shows deadlines to users: see package bridge.
func init() {
	bridge.WithDeadline = withDeadline
	bridge.WithCancel = withCancel
	bridge.Reschedule = reschedule
	bridge.Expired = expired
	bridge.AfterEnd = afterEnd
	bridge.Watch = func(ref any) func() { return ref.(*Ref).watch() }
	bridge.GoUnder = func(ctx context.Context, fn func(ctx context.Context) error) any { return goUnder(ctx, fn) }
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
	return &l.node, l.end, l.release
}

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
		l.arm(c)
	}
	if ctx != context.Context(parent) {
		l.stop = l.ref.b.foreign.register(ctx, parent, l.arm)
	}
	return &l.node, l.release
}

// reschedule is await.Reschedule.
func reschedule(ctx context.Context, when time.Time) bool {
	for n := enter(ctx); n != nil; n = n.parent {
		if l := n.limit; l != nil && !l.shield && !l.timeless {
			if l.by != nil {
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
	c := timed.(*node).mine()
	return c != nil && only(err, c.matches)
}

// seenFrom is what the context of l tells, when those further out tell o: a
// timeout adds its own deadline, and a shield hides theirs. Those of the
// standard library may have one, too: WithoutCancel hides it and keeps the
// values.
func (l *limit) seenFrom(o *horizon) *horizon {
	l.inside = *o
	if l.shield {
		l.inside.deadlines = nil
		l.inside.values = context.WithoutCancel(o.values)
	} else {
		l.outer, l.inside.deadlines = o.deadlines, l
	}
	return &l.inside
}

// follow has a standard context around the parent cancel l too.
func (l *limit) follow(ctx context.Context) {
	if ctx != context.Context(l.parent) {
		l.stop = l.ref.b.foreign.follow(ctx, l.parent, &l.node)
	}
}

// set moves the deadline to when; the zero time is none. One that has passed
// acts here and now: a turn later would be a switch point too late.
func (l *limit) set(when time.Time) {
	b := l.ref.b
	if when.IsZero() {
		b.loop.Driver().StopTimer(&l.timer)
		l.shown.Store(nil)
		return
	}
	l.shown.Store(&when)
	if l.by != nil {
		return
	}
	if !when.After(b.loop.Time()) {
		b.loop.Driver().StopTimer(&l.timer)
		l.Wake()
		return
	}
	b.loop.Driver().StartTimer(&l.timer, when)
}

// arm starts the bound of a shield when a cancel comes from outside. A second
// one comes from further out and takes the first one's place, but the time goes
// on: a shield lasts for its bound, however many want to end it.
func (l *limit) arm(c *Canceled) {
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

// Wake is the timer's: the deadline or the bound has passed. It is the loop's
// to call, and set's.
func (l *limit) Wake() {
	if l.shield {
		l.cancel(l.pending)
		return
	}
	if l.by == nil {
		l.cancel(newCanceled(&l.node, context.DeadlineExceeded))
	}
}

// release ends the block. A standard context calls it from any goroutine; only
// the holder may touch the tree, so for all others it goes through the mailbox.
func (l *limit) release() {
	b := l.ref.b
	if b.word.Held() {
		l.drop()
	} else {
		b.loop.Driver().Post((*lateRelease)(l))
	}
}

// drop ends the limit, once: whatever lives under it, tasks that were started
// there included, is cancelled as released, and it leaves the tree.
func (l *limit) drop() {
	b := l.ref.b
	if l.ended {
		return
	}
	l.ended = true
	b.loop.Driver().StopTimer(&l.timer)
	if l.stop != nil {
		l.stop()
	}
	if l.by == nil {
		l.cancel(released)
	}
	l.detach()
}

// lateRelease is a release that came from another goroutine.
type lateRelease limit

func (l *lateRelease) Wake() { (*limit)(l).drop() }

func (l *limit) String() string {
	switch {
	case l.shield:
		return fmt.Sprintf("a shield of %v", l.ref)
	case l.timeless:
		return fmt.Sprintf("a block of %v", l.ref)
	}
	return fmt.Sprintf("a deadline of %v", l.ref)
}
