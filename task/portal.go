// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"slices"
	"sync"

	"baton/loop"
)

// A Portal is a door through which other goroutines run functions as tasks of a
// scope and get their results. While it is open the loop is not idle. Its
// methods are safe from every goroutine. Only those that wait, Do and
// Call.Wait, panic on one that holds a baton: there they would stop the loop
// they wait for. asyncio calls it run_coroutine_threadsafe, and Trio
// from_thread.run.
type Portal struct {
	b     *baton
	ctx   context.Context // what calls run under, and
	under *node           // the node that it belongs to
	scope *scope          // lists the portal while it is open; belongs to the baton

	mu      sync.Mutex
	closed  bool
	pending map[*Call]bool // posted, and not yet a task; nil once closed
}

// OpenPortal opens a portal to ctx's scope. Calls through it run under ctx, like
// tasks that Start starts there: with its values, its deadline and its cancel; once
// the task or block of ctx has ended, they begin cancelled. The portal is closed by
// Close, and by the scope when its function has returned, or when its last task has
// ended if it was opened later than that; to open one to a scope that has ended is
// misuse and panics. OpenPortal never switches.
func OpenPortal(ctx context.Context) *Portal {
	n := enter(ctx)
	if n.scope.phase == closed {
		misuse("cannot open a portal: the scope created by %v has ended", n.scope.ref)
	}
	p := &Portal{b: n.ref.b, ctx: ctx, under: n, scope: n.scope, pending: make(map[*Call]bool)}
	p.scope.portals = append(p.scope.portals, p)
	p.b.loop.Driver().Open()
	return p
}

// A Call is a function on its way through a portal: a future for goroutines.
// Its methods are safe from every goroutine, but see Portal about Wait.
type Call struct {
	portal *Portal
	fn     func(ctx context.Context) error
	done   chan struct{}
	err    error // set before done is closed
	ref    *Ref  // belongs to the loop
	cause  error // of a Cancel that came before the task; belongs to the loop
}

// Do runs fn as a task of the portal's scope, waits for its end on the calling
// goroutine, and returns its error. A panic in fn fails the scope, and is
// returned as well. The error is ErrClosed if the portal was closed before fn
// began. fn's own ctx is what ends it early: to give up waiting, use Go and
// Call.Cancel.
func (p *Portal) Do(fn func(ctx context.Context) error) error {
	mustNotHold("Portal.Do")
	mustHaveFunc(fn != nil, "Portal.Do")
	return p.Go(fn).Wait()
}

// Go starts fn as a task of the portal's scope, and does not wait: fn begins in
// one of the loop's next turns, after those of earlier calls. Its error belongs
// to the Call.
func (p *Portal) Go(fn func(ctx context.Context) error) *Call {
	mustHaveFunc(fn != nil, "Portal.Go")
	c := &Call{portal: p, fn: fn, done: make(chan struct{})}
	// The lock is held across the post: the arrival takes it too, so it finds the
	// call among those pending, however soon it comes.
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.b.loop.Driver().Post((*callStart)(c)) != nil {
		c.finish(ErrClosed)
		return c
	}
	p.pending[c] = true
	return c
}

// Close closes the portal: functions that have not begun fail with ErrClosed.
// Those that run go on; their scope waits for them. It never waits, and a
// second Close does nothing.
func (p *Portal) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	calls := p.pending
	p.pending = nil
	p.mu.Unlock()
	for c := range calls {
		c.finish(ErrClosed)
	}
	if p.b.word.Held() {
		p.shut()
	} else {
		p.b.loop.Driver().Post((*portalClose)(p))
	}
}

// Wait waits for the end of the function, on the calling goroutine, and returns
// its error. Any number of goroutines may wait, and as often as they like.
func (c *Call) Wait() error {
	mustNotHold("Call.Wait")
	<-c.done
	return c.err
}

// outside panics if the caller holds the baton of some loop: of the portal's
// own, which would then wait for itself, or of another one, which would stand
// still.
func mustNotHold(call string) {
	if l := loop.Current(); l != nil {
		misuse("%s with the baton of %v would stop that loop; portals are for other goroutines, tasks use Go or Start", call, l)
	}
}

// Done is closed when the function has ended; Wait then returns at once.
func (c *Call) Done() <-chan struct{} { return c.done }

// Cancel cancels the task with a cause; nil is context.Canceled. It does not
// wait. A function that has not begun begins all the same, cancelled, like
// every task; one that has ended is not affected.
func (c *Call) Cancel(cause error) {
	c.portal.b.loop.Driver().Post(&callCancel{c, cause})
}

// finish gives the call its result, once: whoever takes it out of pending, or
// is its task, is the one to do it.
func (c *Call) finish(err error) {
	c.err = err
	close(c.done)
}

// arrival is a call as the loop receives it. It is a Waker: it makes the task,
// and that begins in the turn that follows. A call that is not pending any more
// has its ErrClosed. The scope has not ended, for it closes its portals before
// that.
type callStart Call

func (a *callStart) Wake() {
	c := (*Call)(a)
	p := c.portal
	p.mu.Lock()
	live := p.pending[c]
	delete(p.pending, c)
	p.mu.Unlock()
	if !live {
		return
	}
	t := &background{fn: c.fn}
	c.ref = &t.ref
	// Observed from the start: the error is the call's, and not the scope's.
	t.ref.body, t.ref.started, t.ref.observed = t, true, true
	t.ref.more().finish = c.finish
	p.scope.adopt(&t.ref, p.under, p.ctx)
	if c.cause != nil {
		t.ref.Cancel(c.cause)
	}
}

// recall is the cancel of a call as the loop receives it. The mailbox keeps the
// order, so it comes after the arrival; if that found the call gone, cause is
// set for nobody.
type callCancel struct {
	call  *Call
	cause error
}

func (r *callCancel) Wake() {
	cause := r.cause
	if cause == nil {
		cause = context.Canceled
	}
	if r.call.ref != nil {
		r.call.ref.Cancel(cause)
	} else {
		r.call.cause = cause
	}
}

// departure is the close of a portal by another goroutine.
type portalClose Portal

func (d *portalClose) Wake() { (*Portal)(d).shut() }

// shut is the loop's part of Close. The door is counted, and the portal listed,
// with the baton only.
func (p *Portal) shut() {
	p.b.loop.Driver().Shut()
	p.scope.portals = slices.DeleteFunc(p.scope.portals, func(other interface{ Close() }) bool { return other == p })
}
