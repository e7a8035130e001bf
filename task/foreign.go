// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"slices"

	"baton/loop"
	"baton/loop/poll"
)

// A foreignContexts is the set of standard contexts, derived from ours, whose
// cancel somebody waits for. Such a context tells its cancel on a goroutine of
// its own, some time later; a simulated loop cannot leave it at that and looks
// itself, in the order of the registrations, before every poll. In a real world
// the list is not kept: there the goroutine's post is enough.
type foreignContexts struct {
	loop    *loop.Loop
	virtual bool // the loop's clock is not that of package time
	list    []*foreignContext
}

// A foreignContext is one of them, and what to do when it is cancelled.
type foreignContext struct {
	ctx     context.Context
	then    func(*Canceled) // runs with the baton, once; must not switch
	handled bool            // the cancel was acted on
	over    bool            // nobody waits for it any more
}

func nothing() {}

// admit panics if ctx has a deadline that never comes: it is on the standard clock,
// and that of the loop jumps. Every call under ctx asks, before it has any effect.
func (f *foreignContexts) checkDeadline(ctx context.Context, who func() string) {
	if !f.virtual || !f.loop.Poller().Caps().Has(poll.Jumps) {
		return
	}
	if _, limited := ctx.Deadline(); limited {
		misuse("%s uses a deadline of the standard library, which does not run on the clock of %v; use await.WithTimeout", who(), f.loop)
	}
}

// add calls then when ctx ends. If door is true, it counts ctx as a door while it is
// watched: the holder of its cancel function may come back. who is for messages.
//
// A deadline of the standard library is misuse on a clock that jumps: it would
// run on the machine's, and nothing could be replayed.
func (f *foreignContexts) add(ctx context.Context, who func() string, external bool, then func(*Canceled)) (stop func()) {
	f.checkDeadline(ctx, who)
	w := &foreignContext{ctx: ctx, then: then}
	if external {
		f.loop.Driver().Open()
	}
	if f.virtual {
		f.list = append(f.list, w)
	}
	// On a goroutine of the context package's. On a closed loop the post fails;
	// then nobody waits any more.
	cancel := context.AfterFunc(ctx, func() { f.loop.Driver().Post(w) })
	return func() {
		if w.over {
			return
		}
		w.over = true
		cancel()
		if external {
			f.loop.Driver().Shut()
		}
		if i := slices.Index(f.list, w); i >= 0 {
			f.list = slices.Delete(f.list, i, i+1)
		}
	}
}

// look acts on every context that has been cancelled. It runs before a poll.
// What it does may end the watching of others, so it goes through a copy.
func (f *foreignContexts) check() {
	for _, w := range slices.Clone(f.list) {
		if w.ctx.Err() != nil {
			w.Wake()
		}
	}
}

// Wake acts on the cancel of the context. It is the loop's to call. The post
// and look may both have seen the cancel; the second one is for nothing.
func (w *foreignContext) Wake() {
	if !w.over && !w.handled {
		w.handled = true
		w.then(foreignCanceled(w.ctx))
	}
}
