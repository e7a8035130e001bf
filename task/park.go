// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// Text is a [Reason] that consists of a text, such as Text("a reply").
type Text string

// Reason returns the text.
func (t Text) Reason() string { return string(t) }

// Owners returns nil.
func (Text) Owners() []*Ref { return nil }

// Park parks the calling task until its Wake is called. If ctx is cancelled during the
// wait, Park calls w.Cancel: if that returns true, the wait ends and Park returns the
// *Canceled. If ctx is cancelled before, Park calls w.Cancel first, and parks only if that
// returns false.
//
// A wake-up beats a cancel: after Wake, Park returns nil, even if ctx is cancelled before
// the task runs. Park does not count towards the budget of [Checkpoint] unless ctx is
// cancelled already.
func Park(ctx context.Context, w Waiter) error {
	n := enter(ctx)
	if c := n.interrupted(ctx); c != nil {
		if w.Cancel(n.ref) {
			return n.ref.endCanceled(c)
		}
		ctx = n // w has refused this cancel already; only an outer one is new
	}
	return n.ref.wait(ctx, n, w)
}

// Wake ends the wait of a parked task and makes the task ready: it runs in the loop's next
// turn. Wake panics if the task is not parked. Call it only for a task that waits for you:
// on your Waiter, for example. Wake never switches.
func (r *Ref) Wake() {
	if !r.b.word.Held() {
		r.held("Wake")
	}
	if r.state != Parked {
		misuse("Wake of %v, which is %v, not parked; wake only a task that waits for the caller", r, r.state)
	}
	r.ready()
}

// Checkpoint begins a call that may switch. It panics if the caller is not the task to
// which ctx belongs. It yields if the task has used up the budget of its current step: 256
// such calls. Then it returns the *Canceled if ctx is cancelled. It always returns the
// calling task, even with an error.
//
// Calls under a cancelled ctx count too, so a task that repeats them does not stop the
// other tasks. Trio's checkpoint always yields; here, that would cost a switch for every
// free lock.
func Checkpoint(ctx context.Context) (*Ref, error) {
	n, ok := ctx.(*node)
	if !ok {
		return checkpointForeign(ctx)
	}
	r := n.ref
	if !r.b.word.Held() || r.b.cur != r {
		panicWrongCaller(n)
	}
	if r.budget--; r.budget < 0 {
		r.yield()
	}
	if n.current != nil {
		return r, n.current
	}
	return r, nil
}

// checkpointForeign is Checkpoint for a context of the standard library.
func checkpointForeign(ctx context.Context) (*Ref, error) {
	n := enter(ctx)
	n.ref.spend()
	if c := n.interrupted(ctx); c != nil {
		return n.ref, c
	}
	return n.ref, nil
}

// spend takes one unit of the step's budget. If none is left, the task yields first.
func (r *Ref) spend() {
	if r.budget--; r.budget < 0 {
		r.yield()
	}
}

// endCanceled ends a call whose ctx is already cancelled. Such a call counts in the
// budget.
func (r *Ref) endCanceled(c *Canceled) error {
	r.spend()
	return c
}

// yield lets the other ready entries run once. Unlike Yield it ignores every cancel.
func (r *Ref) yield() {
	r.ready()
	r.park()
}

// Check returns the *Canceled if ctx is cancelled, and nil otherwise. It never switches
// and does not count towards the budget of [Checkpoint]. Use it in long computations. Trio
// calls it checkpoint_if_cancelled.
func Check(ctx context.Context) error {
	if c := enter(ctx).interrupted(ctx); c != nil {
		return c
	}
	return nil
}

// Yield switches once: everything else that is ready runs before Yield returns. On a loop
// with an Order, as in a simulation, some of it may run later: the order of tasks that are
// ready together is not defined.
//
// If ctx is cancelled already, Yield returns the *Canceled, and switches only now and
// then, as Checkpoint does. If ctx is cancelled during the switch, Yield returns the
// *Canceled after it.
func Yield(ctx context.Context) error {
	n := enter(ctx)
	if c := n.interrupted(ctx); c != nil {
		return n.ref.endCanceled(c)
	}
	r := n.ref
	r.ready()
	r.park()
	if c := n.interrupted(ctx); c != nil {
		return c
	}
	return nil
}

// ParkUntil parks the calling task until the loop's clock shows when or later. It switches
// even if that time has passed. If ctx is cancelled, before or during the wait, it returns
// the *Canceled. It does not allocate.
func ParkUntil(ctx context.Context, when time.Time) error {
	n := enter(ctx)
	if c := n.interrupted(ctx); c != nil {
		return n.ref.endCanceled(c)
	}
	w := n.ref.worker
	w.timer.Target = (*alarm)(w)
	n.ref.b.loop.Driver().StartTimer(&w.timer, when)
	return n.ref.wait(ctx, n, (*alarm)(w))
}

// An alarm is the timer of a worker, as a Waiter. One timer is enough: a worker has one
// task, and the task waits for one thing at a time.
type alarm worker

func (a *alarm) Reason() string { return "its timer" }

func (a *alarm) Owners() []*Ref { return nil }

func (a *alarm) Wake() { a.task.Wake() }

func (a *alarm) Cancel(*Ref) bool {
	a.task.b.loop.Driver().StopTimer(&a.timer)
	return true
}

// wait parks the running task on w under ctx, which belongs to n. It returns the *Canceled
// that ended the wait, or nil. The caller has checked that ctx is not cancelled, and has
// put r where w will look for it: from parkOn on, w.Cancel or a wake-up may come.
func (r *Ref) wait(ctx context.Context, n *node, w Waiter) error {
	if ctx != context.Context(n) {
		return r.waitForeign(ctx, n, w)
	}
	r.parkOn(n, w)
	r.park()
	return r.unparked()
}

// waitForeign is wait for a context of the standard library.
func (r *Ref) waitForeign(ctx context.Context, n *node, w Waiter) error {
	defer n.watch(ctx)()
	return r.wait(n, n, w)
}

// parkOn records what the running task waits for; park follows. since is the time of the
// last poll, because a switch reads no clock.
func (r *Ref) parkOn(n *node, on Waiter) {
	r.state = Parked
	r.parks++
	w := r.worker
	w.under, w.waiter = n, on
	w.since = r.b.loop.Driver().Age()
}

// unparked returns the result of the wait: nil, or the cancel that ended it.
func (r *Ref) unparked() error {
	w := r.worker
	w.under, w.waiter = nil, nil // else they would keep objects alive until the next wait
	if c := w.abortedBy; c != nil {
		w.abortedBy = nil
		return c
	}
	return nil
}
