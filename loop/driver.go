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

// A Driver is a loop as package task and the rooms above it see it: what runs
// tasks, waits for operations and comes in from other goroutines. A program that
// uses callbacks or tasks needs none of it. Like the methods of Loop, those of
// Driver belong to the holder of the baton, unless they say otherwise.
type Driver Loop

// Driver returns the loop as its Driver. It costs nothing. Safe from every
// goroutine.
func (l *Loop) Driver() *Driver { return (*Driver)(l) }

// An Entry is one element of the ready queue. Package task queues the steps,
// and takes for granted that every step of its loop is a task's; everything
// else is a callback.
type Entry struct {
	Runner Runner
	Step   bool // a task's step; otherwise a callback
}

// Who returns what the entry runs, for reports: the task whose step it is, or a
// Handle. It is nil if that says nothing of itself.
func (e Entry) Who() fmt.Stringer {
	if w, ok := e.Runner.(interface{ Who() fmt.Stringer }); ok {
		return w.Who()
	}
	who, _ := e.Runner.(fmt.Stringer)
	return who
}

// A Runner is something the loop can run. The loop runs tasks without knowing
// them: running a task's step hands the baton to it and returns when the baton
// comes back. A callback's Run is called on the loop's own goroutine; it may
// panic, and must not switch. A step's Run is called by the loop only when no
// task can hand over to it directly (see Driver.Take).
type Runner interface{ Run() }

// A Waker is called between two steps when what it waited for has happened: a
// timer is due, or another goroutine has posted it. Wake must not switch, and it
// must not run a user's code. It is called with the baton, on the goroutine
// that ends the turn, which may be a task's.
type Waker interface{ Wake() }

// Take removes and returns the next step, for a task that has just parked and
// holds the baton: it hands over to that step itself. It ends the turn and
// polls if the turn is over. False means that the baton must go to the loop's
// own goroutine: a callback is next, Stop was called, nothing is left to wait
// for, the poller belongs to one thread, or the turn begins with an Order, which
// is a user's code and has no business on the goroutine of a task.
//
// The caller must run the step it has taken: the loop has forgotten it.
// On the way Take runs Baton's wake-ups and completions, never a user's
// callback: that could unwind the task by Goexit, and would grow its stack.
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
			l.moved()
			return e, true
		}
		if l.stopping || l.mode == onceMode || l.atHome {
			return Entry{}, false
		}
		l.turnsSincePoll++
		if l.pollDue() && !l.poll() {
			return Entry{}, false
		}
		l.flip() // with an Order, which arranges what is next, turns begin at home
	}
}

// Ahead returns the entry that stands behind the next n entries of this turn,
// if the turn is that long. It is for prefetching: nothing says that the entry
// will run as the n-th, for a callback before it may cancel or stop.
func (d *Driver) Ahead(n int) (Entry, bool) {
	if i := d.head + n; i < len(d.batch) {
		return d.batch[i], true
	}
	return Entry{}, false
}

// Ready adds an entry to the ready queue: it runs in the next turn, after what
// is there. The caller holds the baton, and adds no entry that is in the queue.
func (d *Driver) Ready(e Entry) { d.ready = append(d.ready, e) }

// Holder is the word that names the goroutine holding the baton. Package task
// writes it when the baton has passed.
func (d *Driver) Holder() *holder.Word { return d.word }

// BeforePoll has fn run before every poll, with the baton; it must not switch.
// It replaces the function set before; nil is none. What fn makes ready is
// taken into account: the poll does not wait then.
func (d *Driver) BeforePoll(fn func()) { d.before = fn }

// Doze sets whether the steps follow each other without Go's scheduler, for the
// poller: see [poll.Dozer].
func (d *Driver) Doze(on bool) {
	if p, ok := d.poller.(poll.Dozer); ok {
		p.Doze(on)
	}
}

// NameSteps has reports name the step that goes on: name is asked for the one on
// the goroutine g, which holds the baton, and says "" if there is none. It is
// called on the watchdog's goroutine, at any time. Nil takes the last one back. It
// reports whether the loop has a watchdog at all.
func (d *Driver) NameSteps(name func(g uintptr) string) (watched bool) {
	switch {
	case d.dog == nil:
		return false
	case name == nil:
		d.dog.name.Store(nil)
	default:
		d.dog.name.Store(&name)
	}
	return true
}

// Age is how old the loop is on its own clock, as of the last poll: coarser
// than Time, and free.
func (d *Driver) Age() time.Duration { return d.now }

// InCallback reports whether the holder of the baton runs a callback, and not a task.
func (d *Driver) InCallback() bool { return d.calling }

// Submit starts an operation of the loop's poller. It reports whether op is
// already finished; otherwise the loop calls op.Owner.Complete when it is,
// between two steps. The errors of the operation are in op.Err. An operation in
// flight keeps the loop from being idle, and belongs to the poller, buffers
// included.
func (d *Driver) Submit(op *poll.Op) bool {
	(*Loop)(d).mustHold("Submit")
	if d.poller.Submit(op) {
		return true
	}
	d.inflight++
	return false
}

// Post has w woken when the loop polls next, which a loop that waits does at
// once and a busy one at most 32 turns later. It never waits. Safe from every
// goroutine; like CallSoonThreadsafe it keeps nothing alive, and it reports
// ErrClosed.
func (d *Driver) Post(w Waker) error {
	if !d.mail.put(w) {
		return ErrClosed
	}
	d.poller.Wake()
	return nil
}

// Open counts a door: something outside that may still bring work, so that a
// loop with nothing else to wait for is not idle. Every Open needs a Shut.
func (d *Driver) Open() { d.doors++ }

// Shut is the end of an Open.
func (d *Driver) Shut() { d.doors-- }

// Labels returns ctx with the pprof label that goroutines running tasks of the loop
// must have. Without a watchdog it returns ctx. It is for package task, which sets
// the label when a goroutine begins.
func (d *Driver) Labels(ctx context.Context) context.Context {
	if d.dog == nil {
		return ctx
	}
	return pprof.WithLabels(ctx, pprof.Labels(labelKey, strconv.FormatUint(d.id, 10)))
}
