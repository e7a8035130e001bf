// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"slices"
	"sync"

	"baton/loop"
)

// A Portal lets other goroutines run functions as tasks of a scope and receive their
// results. While a portal is open, the loop is not idle, so a deadlock of its tasks is not
// found. All methods are safe for concurrent use, except that Do and Call.Wait block, so
// they panic in a task or callback of any loop. asyncio calls this
// run_coroutine_threadsafe, and Trio from_thread.run.
type Portal struct {
	b     *baton
	ctx   context.Context // the context under which calls run
	under *node           // ctx, or the node from which ctx was derived
	scope *scope          // lists the portal while it is open; belongs to the baton

	mu      sync.Mutex
	closed  bool
	pending map[*Call]bool // calls that are posted but not yet tasks; nil once closed
}

// OpenPortal opens a portal to ctx's scope. Calls through the portal run under ctx: they
// have its values, its deadline and its cancel. Once the task or block of ctx has ended,
// they begin cancelled. Close closes the portal. The scope also closes it: when the
// scope's function returns, or when its last task has ended if the portal was opened after
// that. OpenPortal panics if the scope has ended. It never switches.
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

// A Call is a function that was passed to [Portal.Go]. Its methods are safe for concurrent
// use, except that Wait panics in a task or callback of any loop.
type Call struct {
	portal *Portal
	fn     func(ctx context.Context) error
	done   chan struct{}
	err    error // set before done is closed
	ref    *Ref  // belongs to the loop
	cause  error // of a Cancel before the task was made; belongs to the loop
}

// Do runs fn as a task of the portal's scope, blocks until fn has ended, and returns its
// error. It returns ErrClosed if the portal was closed before fn began. A panic in fn
// fails the scope and is returned as a *PanicError. Do has no ctx: to be able to stop
// waiting, use Go and Call.Cancel.
func (p *Portal) Do(fn func(ctx context.Context) error) error {
	mustNotHold("Portal.Do")
	mustHaveFunc(fn != nil, "Portal.Do")
	return p.Go(fn).Wait()
}

// Go starts fn as a task of the portal's scope, without waiting. fn begins in one of the
// loop's next turns, after the functions of earlier calls. Its error belongs to the Call.
// A panic in fn also fails the scope.
func (p *Portal) Go(fn func(ctx context.Context) error) *Call {
	mustHaveFunc(fn != nil, "Portal.Go")
	c := &Call{portal: p, fn: fn, done: make(chan struct{})}
	// The lock is held during the post, and callStart takes it too. So callStart finds the
	// call in pending, even if the loop runs it at once.
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.b.loop.Driver().Post((*callStart)(c)) != nil {
		c.finish(ErrClosed)
		return c
	}
	p.pending[c] = true
	return c
}

// Close closes the portal. Functions that have not begun fail with ErrClosed. Functions
// that run go on, and the scope waits for them. Close never waits. A second Close does
// nothing.
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

// Wait blocks until the function has ended, and returns its error. Any number of
// goroutines may call it, any number of times.
func (c *Call) Wait() error {
	mustNotHold("Call.Wait")
	<-c.done
	return c.err
}

// mustNotHold panics if the caller holds the baton of any loop. If it is the portal's
// loop, the call would wait for itself; another loop would be blocked.
func mustNotHold(call string) {
	if l := loop.Current(); l != nil {
		misuse("%s in a task or callback of %v would block that loop; use task.Go or task.Start there", call, l)
	}
}

// Done returns a channel that is closed when the function has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// Cancel cancels the task of the function, with a cause; nil means context.Canceled. It
// does not wait. A function that has not begun still begins, cancelled, as every task
// does. If the function has ended, Cancel does nothing.
func (c *Call) Cancel(cause error) {
	c.portal.b.loop.Driver().Post(&callCancel{c, cause})
}

// finish sets the result of the call. It is called once: by the code that removed the call
// from pending, or by the end of the call's task.
func (c *Call) finish(err error) {
	c.err = err
	close(c.done)
}

// A callStart is a call, posted to the loop. It makes the task, which begins in the next
// turn. A call that is no longer pending has received ErrClosed. The scope has not ended,
// because it closes its portals before it ends.
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
	// It counts as awaited from the start: the error belongs to the call.
	t.ref.body, t.ref.started, t.ref.observed = t, true, true
	t.ref.more().finish = c.finish
	p.scope.adopt(&t.ref, p.under, p.ctx)
	if c.cause != nil {
		t.ref.Cancel(c.cause)
	}
}

// A callCancel is the cancel of a call, posted to the loop. The mailbox keeps the order,
// so it comes after callStart. If the call was not pending then, cause has no effect.
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

// A portalClose is the Close of another goroutine, posted to the loop.
type portalClose Portal

func (d *portalClose) Wake() { (*Portal)(d).shut() }

// shut is the part of Close that needs the baton.
func (p *Portal) shut() {
	p.b.loop.Driver().Shut()
	p.scope.portals = slices.DeleteFunc(p.scope.portals, func(other interface{ Close() }) bool { return other == p })
}
