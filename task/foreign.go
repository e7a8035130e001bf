// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"slices"

	"baton/loop"
	"baton/loop/poll"
)

// foreignContexts watches contexts of the standard library that were derived from a ctx of a task.
// Such a context reports its cancel on another goroutine, at an unknown time. On a real clock a
// post from that goroutine is enough, and list stays empty. A simulated loop must be deterministic:
// it checks all contexts itself before every poll, in the order of their registration.
type foreignContexts struct {
	loop    *loop.Loop
	virtual bool // the loop's clock is not that of package time
	list    []*foreignContext
}

// A foreignContext is one watched context, and what to do when it is cancelled.
type foreignContext struct {
	ctx     context.Context
	then    func(*Canceled) // called once, by the holder of the baton; must not switch
	handled bool            // then was called
	over    bool            // no longer watched
}

func nothing() {}

// checkDeadline panics if ctx has a deadline of the standard library and the loop's clock
// jumps: the deadline runs on the real clock, so it would never come at the right time,
// and the run could not be replayed. Every call with such a ctx calls checkDeadline before
// it has any effect.
func (f *foreignContexts) checkDeadline(ctx context.Context, who func() string) {
	if !f.virtual || !f.loop.Poller().Caps().Has(poll.Jumps) {
		return
	}
	if _, limited := ctx.Deadline(); limited {
		misuse("%s uses a deadline of the standard library, which does not follow the clock of %v; use await.WithTimeout", who(), f.loop)
	}
}

// add calls then when ctx ends, until stop is called. If external is true, ctx counts as
// an external source while it is watched, because the owner of its cancel function may
// still call that. who names the context's user in messages.
func (f *foreignContexts) add(ctx context.Context, who func() string, external bool, then func(*Canceled)) (stop func()) {
	f.checkDeadline(ctx, who)
	w := &foreignContext{ctx: ctx, then: then}
	if external {
		f.loop.Driver().Open()
	}
	if f.virtual {
		f.list = append(f.list, w)
	}
	// The context package calls this on another goroutine. On a closed loop the post
	// fails, but then no task waits any more.
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

// check handles every context that has been cancelled. It runs before a poll. A handler
// may end the watching of other contexts, so check iterates over a copy.
func (f *foreignContexts) check() {
	for _, w := range slices.Clone(f.list) {
		if w.ctx.Err() != nil {
			w.Wake()
		}
	}
}

// Wake handles the cancel of the context. The loop calls it. A post and check may both
// have seen the same cancel: only the first call has an effect.
func (w *foreignContext) Wake() {
	if !w.over && !w.handled {
		w.handled = true
		w.then(foreignCanceled(w.ctx))
	}
}
