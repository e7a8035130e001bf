// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// tick is a delay that is short on a real clock.
const tick = 2 * time.Millisecond

var timerCases = []testCase{
	{
		name:        "timers/never early",
		explanation: "A timer never fires before its time on the loop's clock, and a loop that waits for the timer wakes up for it.",
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
		explanation: "CallLater(d) is CallAt(Time()+d). When returns this time, even after the callback has run or was cancelled.",
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
		name:        "timers/no delay",
		explanation: "With a delay of zero or less, or a time that has passed, CallLater and CallAt are CallSoon: the callback does not run before callbacks that are already ready.",
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
		explanation: "Timers with the same time fire in the order in which they were made, even if timers with other times or cancelled timers were made in between.",
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
		explanation: "Timers fire in order of time, not in the order of the calls. Cancelled timers never fire.",
		run:         sortedTimers,
	},
	{
		name:        "timers/cancel",
		explanation: "A cancelled timer never fires: neither if it was cancelled long before, nor by a timer of the same turn, nor twice. It keeps the loop neither running nor waiting.",
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
		explanation: "Delays of centuries are valid and do not overflow: the loop waits for the earliest timer.",
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
		explanation: "A wait is not rounded down: a short sleep takes one or two turns, not a busy loop.",
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
		explanation: "NextDeadline returns the time of the earliest timer that is not cancelled. The host of a guest loop waits until then.",
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

// ahead calls fn to make timers around the time at. If at is reached while fn runs, ahead
// cancels the timers and tries again with a later time: a timer whose time has passed would
// be a CallSoon.
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
		explanation: "CallRepeatedly runs the callback first after the interval, and then each time the interval has passed since the callback returned: a slow callback is never followed by a burst of calls. Cancel in the callback ends it, and the loop is idle.",
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
		explanation: "Cancel from outside the callback ends a CallRepeatedly, before its first call or between two calls.",
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
		explanation: "If the callback of CallRepeatedly panics, it does not run again: it would probably panic each time.",
		run: func(r *rig) {
			r.loop.CallRepeatedly(tick, func() { panic(errBroken) })
			r.quit()
			r.wantReported(errBroken)
		},
	},
	{
		name:        "repeatedly/interval",
		explanation: "An interval of zero or less is misuse and panics: it would make a busy loop.",
		run: func(r *rig) {
			r.panics("CallRepeatedly(0)", func() { r.loop.CallRepeatedly(0, func() {}) })
			r.panics("CallRepeatedly(-1)", func() { r.loop.CallRepeatedly(-1, func() {}) })
		},
	},
}
