// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"slices"

	"baton/loop/poll"
)

// A foreignContexts is the set of standard contexts, derived from ours, whose
// cancel somebody waits for. Such a context tells its cancel on a goroutine of
// its own, some time later; a simulated loop cannot leave it at that and looks
// itself, in the order of the registrations, before every poll. In a real world
// the list is not kept: there the goroutine's post is enough.
type foreignContexts struct{ list []*foreignContext }

// A foreignContext is one of them, and what to do when it is cancelled.
type foreignContext struct {
	ctx  context.Context
	then func(*Canceled) // runs with the baton, once; must not switch
	told bool            // the cancel was acted on
	over bool            // nobody waits for it any more
}

func nothing() {}

// watch has the parked task of n interrupted when ctx is cancelled, until the
// returned function is called. The news may come late, when the task has been
// woken and waits for something else: parks tells one wait from the next.
func (f *foreignContexts) watch(ctx context.Context, n *node) (stop func()) {
	r := n.ref
	parks := r.parks + 1 // the one that is to come
	return f.register(ctx, n, func(c *Canceled) {
		if n.by == nil && r.state == Parked && r.parks == parks {
			r.interrupt(c)
		}
	})
}

// follow has target cancelled when ctx is, until the returned function is
// called. ctx was derived from n. A ctx that is cancelled already acts at once,
// so that the first switch point sees it.
func (f *foreignContexts) follow(ctx context.Context, n, target *node) (stop func()) {
	spread := func(c *Canceled) {
		if target.by == nil { // else ctx has ended with n, whose cancel says more
			target.cancel(c)
		}
	}
	if ctx.Err() != nil {
		spread(foreignCanceled(ctx))
		return nothing
	}
	return f.register(ctx, n, spread)
}

// register is add for a context derived from n. One that can only end together
// with n needs no watching: n's own cancel interrupts what waits. They are told
// apart by the channel, which a context with nothing but values passes through.
func (f *foreignContexts) register(ctx context.Context, n *node, then func(*Canceled)) (stop func()) {
	if ctx.Done() == n.Done() {
		return nothing // only values were added
	}
	return f.add(ctx, n.ref.b, n.ref.String, true, then)
}

// afterEnd is bridge.AfterEnd. It makes no door of ctx: no task waits for fn.
func afterEnd(ctx context.Context, fn func()) (stop func()) {
	r := nodeOf(ctx).ref
	stop = r.b.foreign.add(ctx, r.b, r.String, false, func(*Canceled) {
		stop()
		fn()
	})
	return stop
}

// admit panics if ctx has a deadline that never comes: it is on the standard clock,
// and that of the loop jumps. Every call under ctx asks, before it has any effect.
func (f *foreignContexts) admit(ctx context.Context, b *baton, who func() string) {
	if !b.virtual || !b.loop.Poller().Caps().Has(poll.Jumps) {
		return
	}
	if _, limited := ctx.Deadline(); limited {
		misuse("%s uses a deadline of the standard library, which does not run on the clock of %v; use await.WithTimeout", who(), b.loop)
	}
}

// add calls then when ctx ends. If door is true, it counts ctx as a door while it is
// watched: the holder of its cancel function may come back. who is for messages.
//
// A deadline of the standard library is misuse on a clock that jumps: it would
// run on the machine's, and nothing could be replayed.
func (f *foreignContexts) add(ctx context.Context, b *baton, who func() string, door bool, then func(*Canceled)) (stop func()) {
	f.admit(ctx, b, who)
	w := &foreignContext{ctx: ctx, then: then}
	if door {
		b.loop.Driver().Open()
	}
	if b.virtual {
		f.list = append(f.list, w)
	}
	// On a goroutine of the context package's. On a closed loop the post fails;
	// then nobody waits any more.
	cancel := context.AfterFunc(ctx, func() { b.loop.Driver().Post(w) })
	return func() {
		if w.over {
			return
		}
		w.over = true
		cancel()
		if door {
			b.loop.Driver().Shut()
		}
		if i := slices.Index(f.list, w); i >= 0 {
			f.list = slices.Delete(f.list, i, i+1)
		}
	}
}

// look acts on every context that has been cancelled. It runs before a poll.
// What it does may end the watching of others, so it goes through a copy.
func (f *foreignContexts) look() {
	for _, w := range slices.Clone(f.list) {
		if w.ctx.Err() != nil {
			w.Wake()
		}
	}
}

// Wake acts on the cancel of the context. It is the loop's to call. The post
// and look may both have seen the cancel; the second one is for nothing.
func (w *foreignContext) Wake() {
	if !w.over && !w.told {
		w.told = true
		w.then(foreignCanceled(w.ctx))
	}
}
