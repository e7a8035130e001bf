// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"time"

	"baton/loop/poll"
)

// timeCases are about Now and the duration of a Wait.
//
// All durations are differences of the poller's Now. In a simulated world the machine's clock is
// unrelated to it. So a case takes no time there, and limits are exact.
var timeCases = []testCase{
	// Timeouts are rounded to the clock's unit somewhere on the way to the kernel, and must not
	// be rounded down. A poller that wakes a little early costs a turn of the loop on every
	// timer.
	{
		name:        "timer/never early",
		explanation: "A Wait with nothing to report lasts until Now says that d has passed, except for a few early returns. Otherwise a loop would run timers too early.",
		run: func(r *rig) {
			// The durations are shorter than a tick of a clock, than the timer slack of a
			// kernel and than a millisecond, or no multiple of them.
			const rounds = 10
			for _, d := range []time.Duration{1, 50 * time.Microsecond, time.Millisecond, 1234567, 7 * time.Millisecond} {
				early := 0
				for range rounds {
					early += r.sleep(d)
				}
				if early > rounds/2 {
					r.t.Errorf("%d Waits of %d were shorter than %v", early, rounds+early, d)
				}
			}
		},
	},
	{
		name:        "timer/in time",
		explanation: "On an idle machine a Wait is at most 1 ms late, or 0.1 ms if the poller is Pinned. A poller that rounds its timeouts up makes every sleep longer.",
		lacks:       poll.Virtual,
		run:         inTime,
	},
	{
		name:        "timer/exact",
		explanation: "A virtual clock advances exactly to the requested time, in one Wait. Otherwise a seed could not be replayed.",
		needs:       poll.Virtual,
		run: func(r *rig) {
			for _, d := range []time.Duration{1, time.Millisecond, time.Hour, 365 * 24 * time.Hour} {
				start := r.poller.Now()
				r.wait(d)
				if took := r.poller.Now().Sub(start); took != d {
					r.t.Errorf("Wait(%v) took %v", d, took)
				}
			}
		},
	},
	// Zero and no timeout are easily confused in a system call, and then a busy loop would
	// sleep.
	{
		name:        "timer/poll does not wait",
		explanation: "Wait(0) does not wait. A busy loop calls it every few steps.",
		run: func(r *rig) {
			client, _ := r.pair()
			op := read(client, 1)
			r.submit(op)
			start := r.poller.Now()
			for range 100 {
				r.wait(0)
			}
			if r.poller.Caps().Has(poll.Virtual) && !r.poller.Now().Equal(start) {
				r.t.Errorf("Wait(0) moved the virtual clock by %v", r.poller.Now().Sub(start))
			}
			// The Read is in flight all the time.
			if !r.inFlight[op] {
				r.t.Errorf("a Read without data completed: %v", op.Err)
			}
		},
	},
	// This case finds a poller that checks for completions before and after its sleep, but is
	// not woken by them.
	{
		name:        "timer/completion first",
		explanation: "A Wait ends at the first completion and not at its deadline. Otherwise every response would be as late as the next timer.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.say(client, "now")
			// The data may need a moment, and a Wait may return early, but a poller that waits
			// for its deadline does so in the first Wait.
			start := r.poller.Now()
			for r.inFlight[op] && r.poller.Now().Sub(start) < time.Hour {
				r.wait(time.Hour)
			}
			if r.inFlight[op] {
				r.t.Fatal("the Read was not reported within an hour, although its data were there")
			}
		},
	},
	// If the deadline belongs to an object that lives longer than the Wait (a timer, a file),
	// the poller must reset it.
	{
		name:        "timer/one at a time",
		explanation: "A deadline applies to one Wait. If a completion or a Wake ends that Wait, the deadline must not end a later one.",
		run: func(r *rig) {
			client, server := r.pair()
			for range 5 {
				op := read(server, 1)
				r.submit(op)
				r.say(client, "x")
				r.wait(2 * time.Millisecond) // ended by the Read
				r.finish(op)
				r.sleep(4 * time.Millisecond)
				r.poller.Wake()
				r.wait(2 * time.Millisecond) // ended by the Wake
				r.sleep(4 * time.Millisecond)
			}
		},
	},
	// A wall clock may be set back. The monotonic reading of a time.Time is not, unless it was
	// removed.
	{
		name:        "timer/goes forward",
		explanation: "Now never goes backwards, whichever goroutine calls it, because durations are differences of two results.",
		run: func(r *rig) {
			client, server := r.pair()
			last := r.poller.Now()
			later := func(what string) {
				r.t.Helper()
				now := r.poller.Now()
				if now.Before(last) {
					r.t.Fatalf("%s moved the clock from %v back to %v", what, last, now)
				}
				last = now
			}
			for range 50 {
				r.say(client, "x")
				later("a Write")
				r.hear(server, "x")
				later("a Read")
				r.wait(time.Microsecond)
				later("a Wait")
				elsewhere(func() { later("another goroutine") })
			}
		},
	},
}

// inTime repeats until a Wait was in time. One late Wait proves nothing on a busy machine;
// thousands of late Waits do. The duration is no multiple of a millisecond, so a poller that
// rounds to milliseconds is not precise to 0.1 ms.
func inTime(r *rig) {
	const d = 1500 * time.Microsecond
	bound := time.Millisecond
	if r.poller.Caps().Has(poll.Pinned) {
		bound /= 10
	}
	best := time.Hour
	for range 3000 {
		start := r.poller.Now()
		r.sleep(d)
		late := r.poller.Now().Sub(start) - d
		if best = min(best, late); best <= bound {
			r.t.Logf("%v late, at most %v allowed", best, bound)
			return
		}
	}
	r.t.Errorf("the best Wait(%v) was %v late, want at most %v", d, best, bound)
}
