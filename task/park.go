// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"
)

// Text is a Reason that is only words.
type Text string

// Reason returns the text.
func (t Text) Reason() string { return string(t) }

// Owners returns nil.
func (Text) Owners() []*Ref { return nil }

// Park parks the calling task until Wake is called on it. It returns the
// *Canceled if a cancel that w agrees to ends the wait. If ctx is cancelled
// already, Park calls w.Cancel first, and parks only if that returns false. A
// wake-up beats a cancel: after a Wake, Park returns nil, whatever happens
// before the task runs. It spends no budget if ctx is not cancelled: Checkpoint
// does.
func Park(ctx context.Context, w Waiter) error {
	n := enter(ctx)
	if c := n.interrupted(ctx); c != nil {
		if w.Cancel(n.ref) {
			return n.ref.endCanceled(c)
		}
		ctx = n // w knows of the cancel of ctx; only one from further out is news
	}
	return n.ref.wait(ctx, n, w)
}

// Wake makes a parked task ready: the wait is over. It belongs to the loop, and
// to whoever the task waits for; waking a task that is not parked panics. It
// never switches: the task runs in the loop's next turn.
func (r *Ref) Wake() {
	if !r.b.word.Held() {
		r.held("Wake")
	}
	if r.state != Parked {
		misuse("Wake of %v, which is %v, not parked", r, r.state)
	}
	r.ready()
}

// Checkpoint begins a call that may switch: it checks that the caller is the
// task that ctx belongs to, yields once if the task has made many such calls in
// this step (256), and then returns the *Canceled if ctx is cancelled. It counts
// calls under a cancelled ctx too, so a task that repeats them stops nothing
// else. It returns the calling task, also beside an error. Trio's checkpoint
// always yields; here that would be a switch for each free lock.
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

// checkpointForeign is Checkpoint under a context of the standard library.
func checkpointForeign(ctx context.Context) (*Ref, error) {
	n := enter(ctx)
	n.ref.spend()
	if c := n.interrupted(ctx); c != nil {
		return n.ref, c
	}
	return n.ref, nil
}

// spend takes one unit of the budget that calls have in a step. If none is left
// the task gives way first.
func (r *Ref) spend() {
	if r.budget--; r.budget < 0 {
		r.yield()
	}
}

// refused ends a call that c does not let wait. It costs as much as a call that
// need not wait.
func (r *Ref) endCanceled(c *Canceled) error {
	r.spend()
	return c
}

// turn lets what is ready run once. Unlike Yield it ignores every cancel.
func (r *Ref) yield() {
	r.ready()
	r.park()
}

// Check returns the *Canceled if ctx is cancelled, and nil otherwise. It never
// switches and spends no budget: it is for long computations. Trio calls it
// checkpoint_if_cancelled.
func Check(ctx context.Context) error {
	if c := enter(ctx).interrupted(ctx); c != nil {
		return c
	}
	return nil
}

// Yield switches: what else is ready runs once before it returns. On a loop with
// an Order, as in the simulator, some of that may run soon after instead: tasks
// that are ready together have no promised order. If ctx is cancelled
// already, Yield returns the *Canceled and switches only now and then, as
// Checkpoint does; if ctx is cancelled meanwhile, it returns that after the switch.
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

// ParkUntil parks the calling task until when on the loop's clock, never
// less; if ctx is cancelled it returns the *Canceled at once. A time that
// has passed switches, too. It allocates nothing: the timer is the worker's.
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

// alarm is the timer of a worker, as what its task waits for. A worker has one
// task and a task waits once, so one timer is enough.
type alarm worker

func (a *alarm) Reason() string { return "its timer" }

func (a *alarm) Owners() []*Ref { return nil }

func (a *alarm) Wake() { a.task.Wake() }

func (a *alarm) Cancel(*Ref) bool {
	a.task.b.loop.Driver().StopTimer(&a.timer)
	return true
}

// wait parks the running task on w, under ctx, which belongs to n. It returns
// the *Canceled that ended the wait, or nil. The caller has checked that ctx is
// not cancelled, and has put r wherever w will look for it: from parkOn on a
// wake-up or a cancel may come.
func (r *Ref) wait(ctx context.Context, n *node, w Waiter) error {
	if ctx != context.Context(n) {
		return r.waitForeign(ctx, n, w)
	}
	r.parkOn(n, w)
	r.park()
	return r.unparked()
}

// waitForeign is wait under a context of the standard library.
func (r *Ref) waitForeign(ctx context.Context, n *node, w Waiter) error {
	defer n.watch(ctx)()
	return r.wait(n, n, w)
}

// parkOn says what the running task, which is about to give the baton away,
// waits for. since is the time of the last poll: a switch reads no clock.
func (r *Ref) parkOn(n *node, on Waiter) {
	r.state = Parked
	r.parks++
	w := r.worker
	w.under, w.waiter = n, on
	w.since = r.b.loop.Driver().Age()
}

// unparked is the outcome of the wait: nil, or the cancel that ended it.
func (r *Ref) unparked() error {
	w := r.worker
	w.under, w.waiter = nil, nil // which would keep what may end before the next wait
	if c := w.abortedBy; c != nil {
		w.abortedBy = nil
		return c
	}
	return nil
}
