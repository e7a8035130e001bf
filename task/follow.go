// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// watch interrupts the next park of n's task when ctx is cancelled, until stop is called.
// A cancel may arrive late, after the task was woken and has parked again: parks
// distinguishes one park from the next.
func (n *node) watch(ctx context.Context) (stop func()) {
	r := n.ref
	parks := r.parks + 1 // the next park
	return n.register(ctx, func(c *Canceled) {
		if n.current == nil && r.state == Parked && r.parks == parks {
			r.interrupt(c)
		}
	})
}

// follow cancels target when ctx is cancelled, until stop is called. ctx was derived from
// n. If ctx is already cancelled, follow cancels target at once, so that the first switch
// point returns the cancel.
func (n *node) follow(ctx context.Context, target *node) (stop func()) {
	cancelTarget := func(c *Canceled) {
		if target.current == nil { // else ctx has ended with n, whose cancel says more
			target.cancel(c)
		}
	}
	if ctx.Err() != nil {
		cancelTarget(foreignCanceled(ctx))
		return nothing
	}
	return n.register(ctx, cancelTarget)
}

// register calls then when ctx, which was derived from n, is cancelled, until stop is
// called. A context that adds only values ends together with n, and n's own cancel
// interrupts the waits: register does nothing then. Such a context has the same Done
// channel as n.
func (n *node) register(ctx context.Context, then func(*Canceled)) (stop func()) {
	if v, ok := ctx.(valued); ok && v.Context == context.Context(n) {
		return nothing
	}
	if ctx.Done() == n.Done() {
		return nothing // only values were added
	}
	return n.ref.b.foreign.add(ctx, n.ref.String, true, then)
}

// afterEnd is bridge.AfterEnd. ctx does not count as an external source, because no task
// waits for fn.
func afterEnd(ctx context.Context, fn func()) (stop func()) {
	r := nodeOf(ctx).ref
	stop = r.b.foreign.add(ctx, r.String, false, func(*Canceled) {
		stop()
		fn()
	})
	return stop
}

// A valued is a context with the values and the deadline of another context added.
type valued struct {
	context.Context
	values context.Context
}

// Value looks up the keys for the task and its cancel only in the context itself, because
// values may belong to another task.
func (v valued) Value(key any) any {
	if key != (nodeKey{}) && key != cancelCtxKey {
		if value := v.values.Value(key); value != nil {
			return value
		}
	}
	return v.Context.Value(key)
}

// Deadline returns the earlier of the two deadlines.
func (v valued) Deadline() (time.Time, bool) {
	when, ok := v.Context.Deadline()
	if other, limited := v.values.Deadline(); limited && (!ok || other.Before(when)) {
		return other, true
	}
	return when, ok
}
