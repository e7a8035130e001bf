// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// ShieldTime is the default limit of a Shield.
const ShieldTime = 5 * time.Second

// Shield returns a context that holds back outer cancels for a limited time, so that
// cleanup can still switch. The time begins with the first outer cancel, or at once if ctx
// is already cancelled. When limit has passed, the cancel reaches the shielded context. A
// limit of zero means ShieldTime, and a negative limit means forever. If a deadlock remains
// after everything was cancelled, its cancel passes all shields: see Run.
//
// The shielded context keeps the values of ctx and hides its deadline. The caller must
// call release when the cleanup is done; any goroutine may call release. Neither Shield
// nor release switches. context.WithoutCancel is not a shield: a cancel of the task still
// ends waits under it. Trio has a shield attribute of cancel scopes, without a limit.
func Shield(ctx context.Context, limit time.Duration) (shielded context.Context, release context.CancelFunc) {
	if limit == 0 {
		limit = ShieldTime
	}
	l := newLimit(ctx)
	l.shield, l.bound = true, limit
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

// withDeadline is bridge.WithDeadline.
func withDeadline(ctx context.Context, when time.Time) (timed context.Context, release context.CancelFunc) {
	l := newLimit(ctx)
	parent := nodeOf(ctx)
	l.attach(parent, ctx)
	l.follow(ctx)
	l.set(when)
	return &l.node, l.release
}

// withCancel is bridge.WithCancel.
func withCancel(ctx context.Context) (c context.Context, cancel func(cause error), release context.CancelFunc) {
	l := newLimit(ctx)
	l.timeless = true
	l.attach(nodeOf(ctx), ctx)
	l.follow(ctx)
	return &l.node, l.cancelFor, l.release
}

// reschedule is bridge.Reschedule.
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

// expired is bridge.Expired. An outer context may have been cancelled since.
func expired(timed context.Context, err error) bool {
	c := timed.(*node).ownCancel()
	return c != nil && isOnly(err, c.matches)
}

// newLimit makes a limit of the calling task under ctx. The caller then sets its kind and
// attaches it.
func newLimit(ctx context.Context) *limit {
	n := enter(ctx)
	l := &limit{standard: !n.ref.b.virtual}
	l.ref, l.scope = n.ref, n.scope
	l.limit = l
	l.timer.Target = l
	return l
}

// follow cancels l when ctx is cancelled, if ctx is a context of the standard library.
func (l *limit) follow(ctx context.Context) {
	if ctx != context.Context(l.parent) {
		l.stop = l.parent.follow(ctx, &l.node)
	}
}

// set moves the deadline to when. The zero time removes the deadline. A time that has
// passed cancels l at once, so that the very next switch point returns the cancel.
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

// Wake is called when the deadline or the time of a shield has passed: by the timer, or
// by set.
func (l *limit) Wake() {
	if l.shield {
		l.cancel(l.pending)
		return
	}
	if l.current == nil {
		l.cancel(newCanceled(&l.node, context.DeadlineExceeded))
	}
}

// release ends the block. Any goroutine may call it, as with contexts of the standard
// library. Only the holder of the baton may change the tree, so other goroutines post the
// call.
func (l *limit) release() {
	b := l.ref.b
	if b.word.Held() {
		l.endBlock()
	} else {
		b.loop.Driver().Post((*postedRelease)(l))
	}
}

// endBlock ends the limit; a second call has no effect. It cancels everything under the
// limit, including tasks that were started there, and removes the limit from the tree.
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

// postedRelease is a release posted by another goroutine.
type postedRelease limit

func (l *postedRelease) Wake() { (*limit)(l).endBlock() }
