// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"baton/loop"
)

// State says where a task stands.
type State uint8

const (
	Ready   State = iota // its step is in the loop's ready queue
	Running              // it holds the baton
	Parked               // it waits
	Done                 // its function has returned
)

// String returns the name of the state.
func (s State) String() string {
	return [...]string{"ready", "running", "parked", "done"}[s]
}

// A Ref is a task, whatever the type of its result. A Ref belongs to the loop: to
// whoever holds its baton while it runs. ID, Name and String are safe from
// every goroutine.
type Ref struct {
	// What a switch reads and writes stands together, in one line of the
	// processor's cache with the beginning of ctx: among ten thousand tasks the
	// lines that a switch touches are what it costs.
	b      *baton
	worker *worker // whose goroutine it runs on, from the first step to the end

	state    State
	started  bool // by Start, and the function that has called Start has not returned
	observed bool // it was awaited
	goexit   bool // its function ended by runtime.Goexit
	bound    bool // by goUnder: it ends with the context that it was started under
	budget   int32
	parks    uint32 // counts parks, so that late news of an earlier one is known

	ctx node // the task's own context

	qnext, qprev *Ref // parked: in a line

	id       uint64
	body     body
	err      error
	awaiters line // see outcome
	extra    atomic.Pointer[extra]
}

// extra is what few tasks need.
type extra struct {
	name      atomic.Pointer[string]
	callbacks callbacks
	panics    []*PanicError // returned by its scopes
	call      *Call         // of a portal, which wants the error
	stop      func()        // ends the watching of a standard context
	between   []*Canceled   // that have ended its context, but for the first and the last
	watchers  int           // running calls of await.All and await.Each
	unawaited []unawaited   // of tasks that it has started
}

// more returns r's extra, which it makes at the first need: most tasks end
// without one. It belongs to the holder of the baton, but for the name.
func (r *Ref) more() *extra {
	x := r.extra.Load()
	if x == nil {
		x = &extra{}
		r.extra.Store(x)
	}
	return x
}

// canceledBy returns the cancel of r's context that err tells of, or nil. Of several
// cancels ctx.Err tells the first, and calls of r have returned the last of their time.
func (r *Ref) canceledBy(err error) *Canceled {
	cancels := []*Canceled{r.ctx.canceled.Load(), r.ctx.by}
	if x := r.extra.Load(); x != nil {
		cancels = append(cancels, x.between...)
	}
	for _, c := range cancels {
		if c != nil && c.matches(err) {
			return c
		}
	}
	return nil
}

// A body is the function of a task, with room for its result.
type body interface {
	// run calls the function under the task's own context, on its worker's
	// goroutine, and keeps the result.
	run(*Ref) error

	// function is what Name names.
	function() any
}

// Self returns the task that ctx belongs to. Like every call that takes a task's
// context it panics if the caller is not that task.
func Self(ctx context.Context) *Ref { return enter(ctx).ref }

// ID is the task's number on its loop, in the order of creation from 1.
func (r *Ref) ID() uint64 { return r.id }

// Name returns the name given by SetName, or the name of the task's function,
// with its package and without the package's path.
func (r *Ref) Name() string {
	if x := r.extra.Load(); x != nil {
		if name := x.name.Load(); name != nil && *name != "" {
			return *name
		}
	}
	if r.body == nil {
		return "ended"
	}
	full := runtime.FuncForPC(reflect.ValueOf(r.body.function()).Pointer()).Name()
	return full[strings.LastIndexByte(full, '/')+1:]
}

// SetName names the task in reports. It belongs to the loop, as all that
// changes a task.
func (r *Ref) SetName(name string) {
	r.held("SetName")
	r.more().name.Store(&name)
}

// String is "task 7 (main.crawl)".
func (r *Ref) String() string { return fmt.Sprintf("task %d (%s)", r.id, r.Name()) }

// Loop returns the task's loop.
func (r *Ref) Loop() *loop.Loop { return r.b.loop }

// State tells where the task stands.
func (r *Ref) State() State { return r.state }

// Done reports whether the task has ended.
func (r *Ref) Done() bool { return r.state == Done }

// Cancel cancels the task with a cause (nil is context.Canceled) and reports
// false if it has already ended. It goes down to what the task has started
// under its own context; its scope is not affected. The first cause stays, and
// so does a cancel from further out that has come before. It never switches:
// the task learns of it at its next switch point, or where it is parked, in the
// loop's next turn. A task may cancel itself.
func (r *Ref) Cancel(cause error) bool {
	r.held("Cancel")
	if r.state == Done {
		return false
	}
	r.ctx.end(cause)
	return true
}

// Canceled returns the cancel that the task has not obeyed yet: its own, or that of
// the scope or timeout in which it is parked. ago is how long ago that was, on the
// loop's clock as of its last poll; 0 if it is not known, as for the end of a timeout
// block. Canceled returns nil if there is no cancel, and for a task that has ended.
func (r *Ref) Canceled() (c *Canceled, ago time.Duration) {
	switch {
	case r.state == Done:
		return nil, 0
	case r.state == Parked && r.worker.under.by != nil:
		c = r.worker.under.by
	default:
		c = r.ctx.by
	}
	if c != nil && c.when > 0 {
		ago = r.b.loop.Driver().Age() - c.when
	}
	return c, ago
}

// held panics unless the caller has the baton, or the loop does not run. Where
// no loop runs there is nobody to race with.
func (r *Ref) held(call string) {
	if word := r.b.word; !word.Held() && !word.Free() {
		misuse("%s of %v from a goroutine that does not hold the baton of %v; use a Portal", call, r, r.b.loop)
	}
}

// Waiting describes the wait of a parked task; false means that it is not
// parked.
func (r *Ref) Waiting() (Wait, bool) {
	if r.state != Parked {
		return Wait{}, false
	}
	w := Wait{
		Task:   r.String(),
		Reason: r.worker.on.Reason(),
		Since:  r.b.loop.Driver().Age() - r.worker.since,
	}
	for _, on := range r.worker.on.Owners() {
		w.On = append(w.On, on.String())
	}
	if c, ago := r.Canceled(); c != nil {
		w.Cause, w.Canceled = c.Cause, ago
	}
	return w, true
}

// Stack returns the stack of a task that is parked, or of the caller itself, as
// runtime.Stack formats it, cut off after 64 KiB; nothing for a task that has
// not begun or has ended. The task's goroutine writes it down itself, so it is
// exact: the baton goes there and back, and no other task runs in between.
func (r *Ref) Stack() []byte {
	r.held("Stack")
	if r.worker == nil {
		return nil
	}
	return r.b.stack(r)
}

// A firstStep is a task that has not begun, as an entry of the ready queue.
type firstStep Ref

// Run begins the task, and returns when the loop's own goroutine has the baton again.
func (f *firstStep) Run() { f.b.relay.Start(f) }

// Who returns the task: see loop.Entry.
func (f *firstStep) Who() fmt.Stringer { return (*Ref)(f) }

// ready puts the next step of a parked or new task into the ready queue.
// Whoever calls it has seen that the task is parked, and has taken it out of
// every line: an entry twice in the queue would be two steps for one wake-up.
// The running task calls it in Yield.
func (r *Ref) ready() {
	r.state = Ready
	e := loop.Entry{Runner: (*firstStep)(r), Step: true}
	if r.worker != nil {
		e.Runner = &r.worker.Worker
	}
	r.b.loop.Driver().Ready(e)
}

// interrupt ends the wait of a parked task by a cancel, unless what it waits
// for must come back first. Then Wake ends the wait, which has had its effect,
// and the next switch point tells of the cancel.
func (r *Ref) interrupt(c *Canceled) {
	if r.worker.on.Cancel(r) {
		r.worker.abort = c
		r.ready()
	}
}

// end is the end of the task: on its own goroutine, with its baton. The task is
// done before anybody is told, so that whoever asks finds the result; its
// context ends before its awaiters run; its scope, which may end with it, comes
// last.
func (r *Ref) end(err error) {
	r.err = err
	r.state = Done
	r.worker = nil
	canceled := err != nil && r.ctx.scope.drops(r, err)
	r.ctx.expire()
	if r.awaiters.wakeAll() > 0 {
		r.observed = true
	}
	if x := r.extra.Load(); x != nil {
		r.observed = r.observed || x.watchers > 0
		x.end(r)
	}
	if r == r.b.root {
		r.b.loop.Driver().Ready(loop.Entry{Runner: (*finale)(r.b)})
	} else {
		r.ctx.scope.ended(r, canceled)
	}
}

// end tells everybody else who is to know, and reports panics that the task
// dropped. The call of a portal comes last: its goroutine runs on at once, at
// the same time as this one.
func (x *extra) end(r *Ref) {
	if x.stop != nil {
		x.stop()
	}
	x.callbacks.queue(r.b.loop)
	for _, p := range x.panics {
		if !errors.Is(r.err, p) {
			p.report(r.b.loop)
		}
	}
	if x.call != nil {
		x.call.finish(r.err)
	}
}

// carry remembers the panics in an error that one of the task's scopes has
// returned to it: if the task drops them, they are reported at its end. What is
// passed on is not reported: the error holds the panic then.
func (r *Ref) carry(err error) {
	if p := panicIn(err); p != nil {
		x := r.more()
		x.panics = keep(x.panics, p)
	}
}

// outcome is a task as what others wait for. It is a Waiter without an
// allocation; the waiting tasks stand in awaiters.
type outcome Ref

func (o *outcome) Reason() string { return "the end of " + (*Ref)(o).String() }
func (o *outcome) Owners() []*Ref { return []*Ref{(*Ref)(o)} }
func (o *outcome) Cancel(r *Ref) bool {
	o.awaiters.remove(r)
	return true
}
