// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"runtime"
	"time"

	"baton/loop/poll"
)

// A busy loop polls after this many turns or steps. The limits count turns and steps, not
// time, so that a replay has the same turns. In the real world, the watchdog may ask for an
// earlier poll.
const (
	maxTurnsUnpolled = 32
	maxStepsUnpolled = 64
)

// Run runs turns until Stop is called or the loop is idle (see [Loop.Idle]). It returns
// true if Stop was called.
//
// The calling goroutine receives the baton, and runs the callbacks until Run returns. Run
// panics if the goroutine already holds a baton, if the loop is closed, or if the loop is
// already running. The same is true of RunForever and RunOnce.
func (l *Loop) Run() (stopped bool) { return l.run(idleMode, -1, "Run") }

// RunForever runs turns until Stop is called. If the loop is idle, RunForever waits. It is
// run_forever of PEP 3156.
func (l *Loop) RunForever() { l.run(foreverMode, -1, "RunForever") }

// RunOnce runs one turn, which always polls. If nothing is ready, the poll waits, but at
// most max. If max is 0, the poll does not wait; if max is negative, the wait has no limit.
// RunOnce is for guest loops: because every RunOnce polls, the poller's descriptor does not
// stay readable.
func (l *Loop) RunOnce(max time.Duration) {
	l.run(onceMode, max, "RunOnce")
}

// Stop makes Run or RunForever return at the end of the current turn. Entries that the turn
// adds wait for the next Run. If the loop does not run, the next Run runs one turn that
// does not wait.
//
// Stop does not switch: a task that calls Stop goes on to its next switch point. To stop a
// loop from another goroutine, pass Stop to CallSoonThreadsafe.
func (l *Loop) Stop() {
	l.mustHold("Stop")
	l.stopping = true
}

// run implements Run, RunForever and RunOnce. Its deferred function also runs if a callback
// calls runtime.Goexit; the next Run then continues with the rest of the batch.
func (l *Loop) run(m mode, limit time.Duration, call string) (stopped bool) {
	l.enter(call)
	l.mode, l.limit = m, limit
	defer func() {
		l.stopping = false
		l.leave()
	}()
	for l.beginTurn() {
		l.runBatch()
		if l.stopping || m == onceMode {
			return l.stopping
		}
	}
	return false
}

// runBatch runs the rest of the batch. Most steps do not return here: a task that parks
// takes the next step by Take and hands over to it directly.
func (l *Loop) runBatch() {
	for l.head < len(l.batch) {
		e := l.batch[l.head]
		l.batch[l.head] = Entry{}
		l.head++
		l.stepsSincePoll++
		l.clearMarks()
		if e.Step {
			e.Runner.Run()
		} else {
			l.call(e.Runner)
		}
	}
}

// beginTurn begins a turn: it polls if a poll is due, and then makes the ready queue the
// batch. It returns false if the loop is idle. Take begins turns in the same way, but only
// if no Stop, RunOnce or Order is involved.
func (l *Loop) beginTurn() bool {
	if l.head < len(l.batch) { // left over by a callback that called Goexit
		return true
	}
	l.turnsSincePoll++
	if (l.stopping || l.mode == onceMode || l.pollDue()) && !l.poll() {
		return false
	}
	l.swapQueues()
	if l.cfg.Order != nil && len(l.batch) > 0 {
		l.arrange()
	}
	return true
}

// pollDue reports whether a turn that begins now has to poll.
func (l *Loop) pollDue() bool {
	return len(l.ready) == 0 || l.turnsSincePoll >= maxTurnsUnpolled || l.stepsSincePoll >= maxStepsUnpolled ||
		l.pollRequested.Load()
}

// swapQueues makes the ready queue the batch. It follows the poll, so that what the poll
// queues runs in this turn.
func (l *Loop) swapQueues() {
	l.batch, l.ready = l.ready, l.batch[:0]
	l.head = 0
}

// poll calls the poller and queues, in this order: completed operations, functions posted
// by other goroutines, and due timers. The poller waits if nothing is ready. poll returns
// false, and queues nothing, if the loop is idle.
//
// poll reads the clock once, after the wait and before it queues anything, so that all
// timers are compared with the same time.
func (l *Loop) poll() bool {
	l.turnsSincePoll, l.stepsSincePoll = 0, 0
	if l.pollRequested.Load() {
		l.pollRequested.Store(false)
	}
	if l.beforePoll != nil {
		l.beforePoll()
	}
	wait, ok := l.pollWait()
	if !ok {
		return false
	}
	switch {
	case wait == 0 && l.inflight == 0 && l.mode != onceMode:
		// No operation is in flight, so the poller has nothing to report. RunOnce does not
		// take this shortcut: the host may watch the poller's descriptor, and only the
		// poller's Wait makes it unreadable again.
		l.done = l.done[:0]
	case wait != 0 && l.watchdog != nil:
		l.watchdog.rest()
		l.done = l.poller.Wait(l.done[:0], wait)
		l.watchdog.arm()
	default:
		l.done = l.poller.Wait(l.done[:0], wait)
	}
	if wait == 0 {
		l.yieldProcessor()
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

// pollWait returns how long a poll that begins now may wait: 0 means not at all, negative
// means without limit. It returns false if the loop is idle. A limit of RunOnce can only
// shorten the wait.
func (l *Loop) pollWait() (time.Duration, bool) {
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
	// A clock that jumps must stand still while a function runs in the executor.
	if wait > 0 && l.hasJobs() && l.poller.Caps().Has(poll.Jumps) {
		wait = -1
	}
	if l.limit >= 0 && (wait < 0 || wait > l.limit) {
		wait = l.limit
	}
	return wait, true
}

// Idle reports whether the loop is idle: nothing is ready, and nothing is left that could
// make something ready. An operation, a timer, an unabandoned job, a watched descriptor, a
// signal handler and an external source (see [Driver.Open]) could make something ready.
// Only the holder may call Idle; Idle does not check this.
func (l *Loop) Idle() bool {
	return l.head == len(l.batch) && len(l.ready) == 0 && l.timers.empty() && l.mail.empty() &&
		l.inflight == 0 && !l.hasJobs() && l.sources == 0 && !l.expectsSignal()
}

// yieldProcessor lets other goroutines run from time to time while the loop is busy.
// Handoffs by coroutine bypass Go's scheduler. With one processor, the garbage collector
// and other goroutines would then run only after preemption, every 10 ms. With several
// processors, yielding would only move the loop to another processor, away from its cache.
func (l *Loop) yieldProcessor() {
	if l.busyPolls++; l.oneProcessor && l.busyPolls%4 == 0 {
		runtime.Gosched()
	}
}
