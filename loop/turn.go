// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"runtime"
	"time"

	"baton/loop/poll"
)

// How long a busy loop may go without asking its poller. The bound is counted
// in turns and steps, not in time, so that a replay sees the same turns. In a real
// world the watchdog may ask for a poll before.
const (
	maxTurnsUnpolled = 32
	maxStepsUnpolled = 64
)

// Run runs turns until Stop is called or the loop is idle: nothing is ready,
// and no operation, timer, job that was not abandoned, watched descriptor,
// signal handler or door is left that could make something ready. It reports
// whether it was stopped.
//
// The calling goroutine becomes the loop's own until Run returns. It must hold
// no baton, and the loop must be open and not run: everything else is misuse
// and panics. That goes for RunForever and RunOnce as well.
func (l *Loop) Run() (stopped bool) { return l.run(idleMode, -1, "Run") }

// RunForever runs turns until Stop is called; an idle loop waits. PEP 3156's
// run_forever.
func (l *Loop) RunForever() { l.run(foreverMode, -1, "RunForever") }

// RunOnce runs one full turn. If nothing is ready it waits for something, at
// most max; 0 does not wait and negative sets no limit. It serves a loop that
// is driven from outside: the poller is asked in each, so that its descriptor
// does not stay readable.
func (l *Loop) RunOnce(max time.Duration) {
	l.run(onceMode, max, "RunOnce")
}

// Stop ends Run or RunForever after the current turn: everything ready in it
// still runs, what it adds waits for the next Run. On a loop that does not run,
// the next Run makes one turn that does not wait. Use CallSoonThreadsafe to
// stop a loop from another goroutine. It never switches: a task that calls it
// goes on to its next switch point.
func (l *Loop) Stop() {
	l.mustHold("Stop")
	l.stopping = true
}

// run is all three. Its deferred function works for a Goexit in a callback,
// too; what that leaves of the batch is where the next Run begins.
func (l *Loop) run(m mode, limit time.Duration, call string) (stopped bool) {
	l.enter(call)
	l.mode, l.limit = m, limit
	defer func() {
		l.stopping = false
		l.leave()
	}()
	for l.advance() {
		l.runBatch()
		if l.stopping || m == onceMode {
			return l.stopping
		}
	}
	return false
}

// runBatch runs the rest of the turn on the loop's own goroutine. A task that
// is handed the baton goes on from there by Take, so most steps never come
// back here in between.
func (l *Loop) runBatch() {
	for l.head < len(l.batch) {
		e := l.batch[l.head]
		l.batch[l.head] = Entry{}
		l.head++
		l.stepsSincePoll++
		l.moved()
		if e.Step {
			e.Runner.Run()
		} else {
			l.call(e.Runner)
		}
	}
}

// advance begins a turn on the loop's own goroutine: it polls if that is due, and
// makes what is ready at this moment the batch. It returns false if there is
// nothing left to wait for. A turn that begins in Take is the same, but for what
// cannot be the case there.
func (l *Loop) advance() bool {
	if l.head < len(l.batch) { // left over by a callback that ended in Goexit
		return true
	}
	l.turnsSincePoll++
	if (l.stopping || l.mode == onceMode || l.pollDue()) && !l.poll() {
		return false
	}
	l.flip()
	if l.cfg.Order != nil && len(l.batch) > 0 {
		l.arrange()
	}
	return true
}

// pollDue reports whether the turn that begins now looks outside first.
func (l *Loop) pollDue() bool {
	return len(l.ready) == 0 || l.turnsSincePoll >= maxTurnsUnpolled || l.stepsSincePoll >= maxStepsUnpolled ||
		l.overdue.Load()
}

// flip makes what is ready the batch. It comes after the poll, so that a wake-up
// that the poll has found runs in this turn.
func (l *Loop) flip() {
	l.batch, l.ready = l.ready, l.batch[:0]
	l.head = 0
}

// poll asks the poller what is finished, waiting if nothing is ready, and
// queues, in this order: finished operations, what other goroutines have
// posted, due timers. It returns false, and has queued nothing, if nothing is
// left to wait for.
//
// The time of the turn is read once, after the wait and before anything is
// queued: all timers are due or not by the same clock.
func (l *Loop) poll() bool {
	l.turnsSincePoll, l.stepsSincePoll = 0, 0
	if l.overdue.Load() {
		l.overdue.Store(false)
	}
	if l.before != nil {
		l.before()
	}
	wait, ok := l.patience()
	if !ok {
		return false
	}
	switch {
	case wait == 0 && l.inflight == 0 && l.mode != onceMode:
		// No operation could be finished: there is nothing to ask. Whoever drives
		// the loop from outside may watch the poller's descriptor, and what has
		// made it readable is taken off by asking.
		l.done = l.done[:0]
	case wait != 0 && l.dog != nil:
		l.dog.rest()
		l.done = l.poller.Wait(l.done[:0], wait)
		l.dog.arm()
	default:
		l.done = l.poller.Wait(l.done[:0], wait)
	}
	if wait == 0 {
		l.giveWay()
	}
	l.now = l.clock()
	for i, op := range l.done {
		l.done[i] = nil
		l.inflight--
		op.Owner.Complete(op)
	}
	for _, w := range l.mail.take() {
		w.Wake()
	}
	for t := l.timers.pop(l.now); t != nil; t = l.timers.pop(l.now) {
		t.Target.Wake()
	}
	return true
}

// patience is how long the poll that begins now may wait: 0 not at all,
// negative without limit. It is false if waiting would be for nothing. A timer
// that is due makes it 0; a limit of RunOnce only shortens it.
func (l *Loop) patience() (time.Duration, bool) {
	if len(l.ready) > 0 || l.stopping {
		return 0, true
	}
	wait := time.Duration(-1)
	if when, ok := l.timers.next(); ok {
		wait = 0
		if now := l.clock(); when > now { // the difference may overflow
			wait = when - now
		}
	} else if l.mode == idleMode && l.Idle() {
		return 0, false
	}
	// A clock that jumps stands still while a goroutine of the executor works.
	if wait > 0 && l.busy() && l.poller.Caps().Has(poll.Jumps) {
		wait = -1
	}
	if l.limit >= 0 && (wait < 0 || wait > l.limit) {
		wait = l.limit
	}
	return wait, true
}

// Idle reports whether nothing is ready and nothing is left that could make
// something ready: no operation, timer, job that was not abandoned, watched
// descriptor, signal handler or door. It belongs to the loop.
func (l *Loop) Idle() bool {
	return l.head == len(l.batch) && len(l.ready) == 0 && l.timers.empty() && l.mail.empty() &&
		l.inflight == 0 && !l.busy() && l.doors == 0 && !l.expectsSignal()
}

// giveWay lets other goroutines run, now and then, while the loop is busy.
// Hand-overs by coroutine do not pass through Go's scheduler. With one processor
// the garbage collector and other goroutines would get it only by preemption,
// every 10 ms. With several it would only carry the loop from one to the other
// and its cache along.
func (l *Loop) giveWay() {
	if l.busyPolls++; l.alone && l.busyPolls%4 == 0 {
		runtime.Gosched()
	}
}
