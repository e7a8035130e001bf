// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// watch has the parked task of n interrupted when ctx is cancelled, until the
// returned function is called. The news may come late, when the task has been
// woken and waits for something else: parks tells one wait from the next.
func (n *node) watch(ctx context.Context) (stop func()) {
	r := n.ref
	parks := r.parks + 1 // the one that is to come
	return n.register(ctx, func(c *Canceled) {
		if n.current == nil && r.state == Parked && r.parks == parks {
			r.interrupt(c)
		}
	})
}

// follow has target cancelled when ctx is, until the returned function is
// called. ctx was derived from n. A ctx that is cancelled already acts at once,
// so that the first switch point sees it.
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

// register is add for a context derived from n. One that can only end together
// with n needs no watching: n's own cancel interrupts what waits. They are told
// apart by the channel, which a context with nothing but values passes through.
func (n *node) register(ctx context.Context, then func(*Canceled)) (stop func()) {
	if v, ok := ctx.(valued); ok && v.Context == context.Context(n) {
		return nothing
	}
	if ctx.Done() == n.Done() {
		return nothing // only values were added
	}
	return n.ref.b.foreign.add(ctx, n.ref.String, true, then)
}

// afterEnd is bridge.AfterEnd. It makes no door of ctx: no task waits for fn.
func afterEnd(ctx context.Context, fn func()) (stop func()) {
	r := nodeOf(ctx).ref
	stop = r.b.foreign.add(ctx, r.String, false, func(*Canceled) {
		stop()
		fn()
	})
	return stop
}

// A valued is a context with the values and the deadline of another one.
type valued struct {
	context.Context
	values context.Context
}

// Value looks up the keys that find the task and its cancel in the context itself: values
// may be those of another task.
func (v valued) Value(key any) any {
	if key != (nodeKey{}) && key != cancelCtxKey {
		if value := v.values.Value(key); value != nil {
			return value
		}
	}
	return v.Context.Value(key)
}

// Deadline tells the sooner deadline.
func (v valued) Deadline() (time.Time, bool) {
	when, ok := v.Context.Deadline()
	if other, limited := v.values.Deadline(); limited && (!ok || other.Before(when)) {
		return other, true
	}
	return when, ok
}
