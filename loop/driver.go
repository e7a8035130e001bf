// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"time"

	"baton/internal/holder"
	"baton/loop/poll"
)

// A Driver is the interface of a loop for package task and the packages above it: it queues
// steps, submits operations, starts timers, and receives posts from other goroutines.
// Programs that use callbacks or tasks do not need it. Only the holder may call its
// methods, unless a method says otherwise.
type Driver Loop

// Driver returns the loop as a Driver. It only converts the type. Driver is safe for
// concurrent use.
func (l *Loop) Driver() *Driver { return (*Driver)(l) }

// An Entry is one element of the ready queue: a callback, or the step of a task. Only
// package task may queue steps: it assumes that every step is a task's.
type Entry struct {
	Runner Runner
	Step   bool // the step of a task; if false, a callback
}

// Who returns a name of what the entry runs, for reports: a task, or a Handle. If the
// Runner has a method Who() fmt.Stringer, Who returns its result. Otherwise, Who returns
// the Runner if it is a fmt.Stringer, and nil if not.
func (e Entry) Who() fmt.Stringer {
	if w, ok := e.Runner.(interface{ Who() fmt.Stringer }); ok {
		return w.Who()
	}
	who, _ := e.Runner.(fmt.Stringer)
	return who
}

// A Runner is something that the loop can run.
//
// The Runner of a callback runs on the goroutine that called the loop's Run method. It may
// panic, and it must not switch.
//
// The Runner of a step hands the baton to a task, and returns when the baton has come back.
// The loop calls it only if no task can hand over to the step directly (see [Driver.Take]).
type Runner interface{ Run() }

// A Waker is woken by the loop when what it waits for has happened: a timer is due, or
// another goroutine has posted it. The loop calls Wake between two steps, on the goroutine
// that holds the baton; this may be the goroutine of a task that has just parked. Wake must
// not switch, and must not run user code.
type Waker interface{ Wake() }

// Take removes and returns the next step. A task that has just parked calls Take, while it
// still holds the baton, and hands over to the step directly. The caller must run the step:
// it is no longer in the queue.
//
// If the turn is over, Take ends it, polls if a poll is due, and begins the next turn. Take
// runs Wakers and completions. It never runs a user's callback: a callback might call
// runtime.Goexit, which would end the task, and it would grow the stack of the task.
//
// Take returns false if the baton must go to the goroutine that called Run. That is so if
// the next entry is a callback. At the end of a turn, it is also so in these cases:
//   - Stop was called, or the loop runs in RunOnce.
//   - The loop is idle.
//   - The poller belongs to one thread ([poll.Pinned]).
//   - The loop has an Order. An Order is user code, which must not run on the goroutine
//     of a task.
func (d *Driver) Take() (Entry, bool) {
	l := (*Loop)(d)
	for {
		if l.head < len(l.batch) {
			e := l.batch[l.head]
			if !e.Step {
				return Entry{}, false
			}
			l.batch[l.head] = Entry{}
			l.head++
			l.stepsSincePoll++
			l.clearMarks()
			return e, true
		}
		if l.stopping || l.mode == onceMode || l.turnsInRun {
			return Entry{}, false
		}
		l.turnsSincePoll++
		if l.pollDue() && !l.poll() {
			return Entry{}, false
		}
		l.swapQueues() // only without an Order: see Loop.turnsInRun
	}
}

// Ahead returns the entry that stands n places behind the next entry of this turn, if there
// is one. It is for prefetching. The entry may never run: a callback before it may cancel
// it or stop the loop.
func (d *Driver) Ahead(n int) (Entry, bool) {
	if i := d.head + n; i < len(d.batch) {
		return d.batch[i], true
	}
	return Entry{}, false
}

// Ready adds an entry to the end of the ready queue. The entry runs in the next turn. An
// entry must not be added again before it has run. Ready does not check that the caller is
// the holder.
func (d *Driver) Ready(e Entry) { d.ready = append(d.ready, e) }

// Holder returns the word that names the holder's goroutine. Package task writes the word
// after each handoff.
func (d *Driver) Holder() *holder.Word { return d.word }

// BeforePoll makes the loop call fn before every poll. The loop calls fn with the baton,
// and fn must not switch. If fn makes something ready, the poll does not wait. BeforePoll
// replaces the function that was set before; nil removes it.
func (d *Driver) BeforePoll(fn func()) { d.beforePoll = fn }

// Doze says whether steps follow each other without Go's scheduler. The loop passes this on
// to its poller: see [poll.Dozer].
func (d *Driver) Doze(on bool) {
	if p, ok := d.poller.(poll.Dozer); ok {
		p.Doze(on)
	}
}

// NameSteps sets the function that names steps in the reports of the watchdog. The watchdog
// calls name on its own goroutine, at any time, with the goroutine g that holds the baton.
// name returns "" if g runs no task. A nil name removes the function. NameSteps returns
// false if the loop has no watchdog.
func (d *Driver) NameSteps(name func(g uintptr) string) (watched bool) {
	switch {
	case d.watchdog == nil:
		return false
	case name == nil:
		d.watchdog.name.Store(nil)
	default:
		d.watchdog.name.Store(&name)
	}
	return true
}

// Age returns the time between the loop's start and its last poll, on the loop's clock. Age
// is less precise than Time, and costs no clock reading.
func (d *Driver) Age() time.Duration { return d.now }

// InCallback reports whether the holder runs a callback, and not a task.
func (d *Driver) InCallback() bool { return d.calling }

// Submit starts an operation of the loop's poller. Submit returns true if the operation is
// already complete. Otherwise the operation is in flight, and the loop calls
// op.Owner.Complete, between two steps, when the operation has completed. Errors of the
// operation are in op.Err. While op is in flight, the loop is not idle, and op and its
// buffers belong to the poller.
func (d *Driver) Submit(op *poll.Op) bool {
	(*Loop)(d).mustHold("Submit")
	if d.poller.Submit(op) {
		return true
	}
	d.inflight++
	return false
}

// Post makes the loop call w.Wake in its next poll. A waiting loop polls at once; a busy
// loop polls at most 32 turns later. Post does not block. A post does not keep the loop
// from becoming idle before it arrives. Post returns ErrClosed if the loop is closed. Post
// is safe for concurrent use.
func (d *Driver) Post(w Waker) error {
	if !d.mail.put(w) {
		return ErrClosed
	}
	d.poller.Wake()
	return nil
}

// Open declares an external source: something outside the loop that may still make it busy.
// The loop is not idle until Shut is called, once for each Open. Open and Shut do not check
// that the caller is the holder.
func (d *Driver) Open() { d.sources++ }

// Shut withdraws the external source of one Open.
func (d *Driver) Shut() { d.sources-- }

// Labels returns ctx with the pprof label that the goroutines of the loop's tasks must
// have. Package task sets the label when a goroutine begins. If the loop has no watchdog,
// Labels returns ctx itself.
func (d *Driver) Labels(ctx context.Context) context.Context {
	if d.watchdog == nil {
		return ctx
	}
	return pprof.WithLabels(ctx, pprof.Labels(labelKey, strconv.FormatUint(d.id, 10)))
}
