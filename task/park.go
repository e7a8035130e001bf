// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"

	"baton/loop"
)

// A Reason is what a parked task waits for, in words for people. Both methods
// are called with the baton, for reports; they must not switch and should not
// change anything.
type Reason interface {
	// Reason completes "task 7 has waited 1s for …".
	Reason() string
	// Owners are the tasks that could end the wait; nil if there is nobody in
	// particular.
	Owners() []*Ref
}

// A Waiter is one thing that a task can wait for. It is for building primitives
// on [Park]; [WaitQueue] is the one that most of them need.
type Waiter interface {
	Reason
	// Cancel is called when r is cancelled while it is parked, or was cancelled
	// before it could park. True means that the wait is over without effect: Park
	// returns the *Canceled. False means that something lent out must come back
	// first (a buffer that the kernel uses): the waiter will Wake r itself, later.
	// The caller holds the baton. Cancel must not switch, and must not wake r.
	// After false it may be called again, if something further out is cancelled
	// too. Trio calls it abort_fn.
	Cancel(r *Ref) bool
}

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
			return n.ref.refused(c)
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
		stranger(n)
	}
	if r.budget--; r.budget < 0 {
		r.turn()
	}
	if n.by != nil {
		return r, n.by
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
		r.turn()
	}
}

// refused ends a call that c does not let wait. It costs as much as a call that
// need not wait.
func (r *Ref) refused(c *Canceled) error {
	r.spend()
	return c
}

// turn lets what is ready run once. Unlike Yield it ignores every cancel.
func (r *Ref) turn() {
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
		return n.ref.refused(c)
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
		return n.ref.refused(c)
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
func (a *alarm) Wake()          { a.task.Wake() }
func (a *alarm) Cancel(*Ref) bool {
	a.task.b.loop.Driver().StopTimer(&a.timer)
	return true
}

// Now tells the time on the loop of the calling task. It never switches.
func Now(ctx context.Context) time.Time { return enter(ctx).ref.b.loop.Time() }

// Loop returns the loop of the calling task. It never switches.
func Loop(ctx context.Context) *loop.Loop { return enter(ctx).ref.b.loop }

// interrupted returns what a switch point under ctx, which belongs to n, must
// return: nil, or the cancel. n is asked before a context of the standard
// library that was derived from it: if that has ended because of n, n says
// more.
func (n *node) interrupted(ctx context.Context) *Canceled {
	if n.by != nil {
		return n.by
	}
	if ctx == context.Context(n) {
		return nil
	}
	if ctx.Err() != nil {
		return foreignCanceled(ctx)
	}
	return nil
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

// park gives the baton away, until the task's own step comes.
func (r *Ref) park() {
	r.b.cur = nil // first: Leave may end the turn and poll, in the name of no task
	if way, ok := r.worker.Leave(); ok {
		switch {
		case way.Next != nil:
			way.Next()
		case way.Yield != nil:
			way.Yield(struct{}{})
		default:
			<-way.Ch
		}
		r.worker.Back()
	}
	r.b.hold(r)
}

// parkOn says what the running task, which is about to give the baton away,
// waits for. since is the time of the last poll: a switch reads no clock.
func (r *Ref) parkOn(n *node, on Waiter) {
	r.state = Parked
	r.parks++
	w := r.worker
	w.under, w.on = n, on
	w.since = r.b.loop.Driver().Age()
}

// unparked is the outcome of the wait: nil, or the cancel that ended it.
func (r *Ref) unparked() error {
	w := r.worker
	w.under, w.on = nil, nil // which would keep what may end before the next wait
	if c := w.abort; c != nil {
		w.abort = nil
		return c
	}
	return nil
}
