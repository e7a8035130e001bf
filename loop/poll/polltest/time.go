// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"time"

	"baton/loop/poll"
)

// timeCases are about Now and about how long a Wait lasts.
//
// All durations are differences of the poller's own Now, never of the machine's
// clock: in a virtual world the two have nothing to do with each other. So a
// case takes no time there, and bounds hold exactly.
var timeCases = []testCase{
	// Timeouts are cut to the clock's unit somewhere on their way to a kernel,
	// and cutting is the wrong direction. A poller that wakes early by a little
	// and lets the loop ask again spends a turn on every timer.
	{
		name:        "timer/never early",
		explanation: "A Wait with nothing to report lasts until Now says that d has passed, give or take a stray early return; a loop whose timers come early runs callbacks before their time.",
		run: func(r *rig) {
			// Shorter than a clock's tick, a kernel's slack, a millisecond;
			// and not a whole number of any.
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
		explanation: "On an idle machine a Wait is at most 1 ms late, 0.1 ms if the poller has a thread to itself. A poller that rounds its timeouts, or finds out about them by the way, makes every sleep longer.",
		lacks:       poll.Virtual,
		run:         inTime,
	},
	{
		name:        "timer/exact",
		explanation: "A virtual clock jumps to the moment somebody waits for, to the nanosecond and in one Wait; otherwise a seed does not replay.",
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
	// A timeout of zero and no timeout are neighbours in most interfaces: one
	// typing error makes a busy loop sleep.
	{
		name:        "timer/poll does not wait",
		explanation: "Wait(0) only looks. A busy loop calls it every few steps.",
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
			// A Read that has nothing to do with time is in flight all along.
			if !r.flying[op] {
				r.t.Errorf("a Read without data finished: %v", op.Err)
			}
		},
	},
	// Catches a poller that looks for completions before it sleeps and after,
	// but is not woken by them.
	{
		name:        "timer/completion first",
		explanation: "A Wait ends with the first completion, not with its deadline: otherwise every answer would be as late as the next timer.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.say(client, "now")
			// The data may need a moment on its way, and a Wait may be early,
			// but a poller that waits for its deadline does so at the first.
			start := r.poller.Now()
			for r.flying[op] && r.poller.Now().Sub(start) < time.Hour {
				r.wait(time.Hour)
			}
			if r.flying[op] {
				r.t.Fatal("an hour passed before a Read was reported whose data was there")
			}
		},
	},
	// Where a deadline is a property of something that lives longer than a Wait
	// (a timer, a file), it must be taken back or overwritten.
	{
		name:        "timer/one at a time",
		explanation: "A deadline is that of one Wait. One that a completion or a Wake has cut short must not end a later Wait, when the loop has other plans.",
		run: func(r *rig) {
			client, server := r.pair()
			for range 5 {
				op := read(server, 1)
				r.submit(op)
				r.say(client, "x")
				r.wait(2 * time.Millisecond) // cut short by the Read
				r.finish(op)
				r.sleep(4 * time.Millisecond)
				r.poller.Wake()
				r.wait(2 * time.Millisecond) // cut short by the Wake
				r.sleep(4 * time.Millisecond)
			}
		},
	},
	// A wall clock is set back by its owner now and then; time.Time has a
	// second reading that is not, as long as nobody rounds it away.
	{
		name:        "timer/goes forward",
		explanation: "Now never goes backwards, whoever asks and whatever happens between: durations are differences of two answers.",
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

// inTime waits until a Wait was in time once. One that is late proves nothing
// on a busy machine; that none of thousands is in time proves a lot. The length
// is no whole number of milliseconds, which a poller that counts in them cannot
// meet to a tenth.
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
