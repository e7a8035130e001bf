// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// tick is a delay that the suite can afford on a real clock.
const tick = 2 * time.Millisecond

var timerCases = []testCase{
	{
		name:        "timers/never early",
		explanation: "A timer never fires before its time on the loop's clock, and a loop that waits for it wakes up for it.",
		run: func(r *rig) {
			for _, d := range []time.Duration{time.Nanosecond, time.Microsecond, 300 * time.Microsecond, tick} {
				start, ran := r.loop.Time(), false
				r.loop.CallLater(d, func() {
					ran = true
					if passed := r.loop.Time().Sub(start); passed < d {
						r.t.Errorf("CallLater(%v) ran after %v", d, passed)
					}
				})
				r.quit()
				if !ran {
					r.t.Errorf("CallLater(%v) did not run before the loop was idle", d)
				}
			}
		},
	},
	{
		name:        "timers/when",
		explanation: "CallLater(d) is CallAt(Time()+d), and When tells the time, also after the callback has run or was cancelled.",
		run: func(r *rig) {
			before := r.loop.Time()
			later := r.loop.CallLater(tick, r.note("later"))
			after := r.loop.Time()
			at := r.loop.CallAt(before.Add(tick), r.note("at"))
			gone := r.loop.CallAt(before.Add(time.Hour), r.note("gone"))
			gone.Cancel()
			check := func() {
				if w := later.When(); w.Before(before.Add(tick)) || w.After(after.Add(tick)) {
					r.t.Errorf("CallLater(%v): When is %v after the call", tick, w.Sub(before))
				}
				if w := at.When(); !w.Equal(before.Add(tick)) {
					r.t.Errorf("CallAt: When is %v, want %v", w, before.Add(tick))
				}
				if w := gone.When(); !w.Equal(before.Add(time.Hour)) {
					r.t.Errorf("cancelled CallAt: When is %v, want %v", w, before.Add(time.Hour))
				}
			}
			check()
			r.quit()
			check()
		},
	},
	{
		name:        "timers/no cheating",
		explanation: "A delay of zero or less, and a time that has passed, are a CallSoon: nobody gets to the front by a negative delay.",
		run: func(r *rig) {
			r.loop.CallSoon(r.note("a"))
			r.loop.CallLater(0, r.note("b"))
			r.loop.CallLater(-time.Hour, r.note("c"))
			r.loop.CallLater(math.MinInt64, r.note("d"))
			r.loop.CallSoon(r.note("e"))
			r.loop.CallAt(r.loop.Time().Add(-time.Second), r.note("f"))
			r.loop.CallAt(time.Time{}, r.note("g"))
			r.loop.CallSoon(r.note("h"))
			r.turn()
			r.want("one turn", "a b c d e f g h")
		},
	},
	{
		name:        "timers/equal times",
		explanation: "Timers of one time fire in the order in which they were made, however many lie between, and one that was cancelled leaves the order alone.",
		run: func(r *rig) {
			r.ahead(func(at time.Time) []Handle {
				e := r.loop.CallAt(at.Add(time.Nanosecond), r.note("e"))
				b := r.loop.CallAt(at, r.note("b"))
				gone := r.loop.CallAt(at, r.note("gone"))
				c := r.loop.CallAt(at, r.note("c"))
				a := r.loop.CallAt(at.Add(-time.Nanosecond), r.note("a"))
				d := r.loop.CallAt(at, r.note("d"))
				gone.Cancel()
				return []Handle{a, b, c, d, e}
			})
			r.quit()
			r.want("in the run", "a b c d e")
		},
	},
	{
		name:        "timers/in order of time",
		explanation: "Timers fire in order of time whatever the order of their calls, and cancelled ones never.",
		run:         sortedTimers,
	},
	{
		name:        "timers/cancel",
		explanation: "A cancelled timer never fires: cancelled before, by a timer of the same turn, or twice. It keeps the loop neither running nor waiting.",
		run: func(r *rig) {
			long := r.loop.CallLater(time.Hour, r.note("long"))
			var a, b Handle
			r.ahead(func(at time.Time) []Handle {
				a = r.loop.CallAt(at, func() {
					r.note("a")()
					b.Cancel()
				})
				b = r.loop.CallAt(at, r.note("b"))
				return []Handle{a, b}
			})
			long.Cancel()
			long.Cancel()
			r.quit()
			r.want("in the run", "a")
			a.Cancel()
			b.Cancel()
			r.loop.CallLater(tick, r.note("c"))
			r.quit()
			r.want("after more cancels", "c")
		},
	},
	{
		name:        "timers/huge delays",
		explanation: "Delays of centuries are legal and overflow nothing: the loop waits for what comes first.",
		run: func(r *rig) {
			huge := []Handle{
				r.loop.CallLater(math.MaxInt64, r.note("max")),
				r.loop.CallLater(math.MaxInt64-1, r.note("max-1")),
				r.loop.CallAt(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), r.note("year 9999")),
				r.loop.CallLater(200*365*24*time.Hour, r.note("two centuries")),
				r.loop.CallRepeatedly(math.MaxInt64, r.note("hardly ever")),
			}
			r.turn()
			r.loop.CallLater(tick, func() {
				r.note("soon")()
				for _, h := range huge {
					h.Cancel()
				}
			})
			r.quit()
			r.want("in the run", "soon")
		},
	},
	{
		name:        "timers/no spinning",
		explanation: "A wait is not rounded down: short sleeps one after another take a turn or two each, not a busy loop.",
		run: func(r *rig) {
			delays := []time.Duration{10 * time.Millisecond, 100 * time.Microsecond, time.Microsecond, 10, 1}
			turns := 0
			var next func()
			next = func() {
				if len(delays) > 0 {
					d := delays[0]
					delays = delays[1:]
					r.loop.CallLater(d, next)
				}
			}
			next()
			r.until(func() bool { turns++; return r.loop.Idle() })
			if turns > 20 {
				r.t.Errorf("five sleeps took %d turns", turns)
			}
		},
	},
	{
		name:        "timers/next deadline",
		explanation: "NextDeadline is the time of the earliest timer that is not cancelled; whoever drives the loop from outside waits until then.",
		run: func(r *rig) {
			if _, ok := r.loop.NextDeadline(); ok {
				r.t.Error("a new loop has a deadline")
			}
			at := r.loop.Time().Add(time.Hour)
			first := r.loop.CallAt(at, r.note("first"))
			second := r.loop.CallAt(at.Add(time.Hour), r.note("second"))
			for _, h := range []Handle{first, second} {
				if got, ok := r.loop.NextDeadline(); !ok || !got.Equal(h.When()) {
					r.t.Errorf("NextDeadline is %v, %v, want %v", got, ok, h.When())
				}
				h.Cancel()
			}
			if _, ok := r.loop.NextDeadline(); ok {
				r.t.Error("there is a deadline after the last timer was cancelled")
			}
		},
	},
}

// ahead has fn make timers around a time at, all of them before the first is
// due: a time that has passed would be a CallSoon. On a slow machine it tries
// again, further ahead.
func (r *rig) ahead(fn func(at time.Time) []Handle) {
	for d := tick; ; d *= 2 {
		at := r.loop.Time().Add(d)
		handles := fn(at)
		if r.loop.Time().Before(at.Add(-time.Microsecond)) {
			return
		}
		for _, h := range handles {
			h.Cancel()
		}
	}
}

func sortedTimers(r *rig) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var want, got []time.Duration
	r.ahead(func(at time.Time) (handles []Handle) {
		want = nil
		for range 1000 {
			after := time.Duration(random.IntN(5000)) * time.Microsecond
			h := r.loop.CallAt(at.Add(after), func() { got = append(got, after) })
			if random.IntN(3) == 0 {
				h.Cancel()
				continue
			}
			want, handles = append(want, after), append(handles, h)
		}
		return handles
	})
	slices.Sort(want)
	r.quit()
	if !slices.Equal(got, want) {
		r.t.Errorf("seed %d: %d timers ran, want %d, or they ran out of order", seed, len(got), len(want))
	}
}

var repeatCases = []testCase{
	{
		name:        "repeatedly/drift",
		explanation: "CallRepeatedly runs first after the interval and then each time the interval after it has returned: a slow callback is never followed by a burst. Cancel from inside ends it, and the loop is idle.",
		run: func(r *rig) {
			start := r.loop.Time()
			earliest, n := start.Add(tick), 0
			var h Handle
			h = r.loop.CallRepeatedly(tick, func() {
				now := r.loop.Time()
				if now.Before(earliest) {
					r.t.Errorf("call %d came %v too early", n, earliest.Sub(now))
				}
				if n++; n == 4 {
					h.Cancel()
				}
				earliest = r.loop.Time().Add(tick)
			})
			r.until(func() bool { return n == 4 })
			if _, ok := r.loop.NextDeadline(); ok {
				r.t.Error("there is a deadline after it was cancelled from inside")
			}
			r.quit()
			if n != 4 {
				r.t.Errorf("it ran %d times, want 4", n)
			}
		},
	},
	{
		name:        "repeatedly/cancel",
		explanation: "Cancel from outside ends a CallRepeatedly, before its first call or between two.",
		run: func(r *rig) {
			r.loop.CallRepeatedly(tick, r.note("never")).Cancel()
			n := 0
			h := r.loop.CallRepeatedly(tick, func() { n++ })
			r.until(func() bool { return n == 2 })
			h.Cancel()
			r.quit()
			if n != 2 {
				r.t.Errorf("it ran %d times, 2 of them before Cancel", n)
			}
			r.want("in all", "")
		},
	},
	{
		name:        "repeatedly/panic",
		explanation: "A panic ends the chain: what failed once would fail again and again.",
		run: func(r *rig) {
			r.loop.CallRepeatedly(tick, func() { panic(errBroken) })
			r.quit()
			r.wantReported(errBroken)
		},
	},
	{
		name:        "repeatedly/interval",
		explanation: "An interval that is not positive is misuse and panics: it would be a busy loop.",
		run: func(r *rig) {
			r.panics("CallRepeatedly(0)", func() { r.loop.CallRepeatedly(0, func() {}) })
			r.panics("CallRepeatedly(-1)", func() { r.loop.CallRepeatedly(-1, func() {}) })
		},
	},
}
