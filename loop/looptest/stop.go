// SPDX-License-Identifier: Apache-2.0

package looptest

import "time"

var stopCases = []testCase{
	{
		name:        "stop/end of the turn",
		explanation: "Stop lets the turn end: what was ready with it still runs, what these add waits for the next run and is not lost.",
		run: func(r *rig) {
			r.loop.CallSoon(func() {
				r.note("a")()
				r.loop.Stop()
				r.loop.CallSoon(r.note("c"))
			})
			r.loop.CallSoon(func() {
				r.note("b")()
				r.loop.CallSoon(r.note("d"))
			})
			if !r.loop.Run() {
				r.t.Error("Run does not report that it was stopped")
			}
			r.want("until Stop", "a b")
			r.quit()
			r.want("in the next run", "c d")
		},
	},
	{
		name:        "stop/before the run",
		explanation: "Stop before a run makes it one turn that does not wait: what is ready runs, and a timer far away holds up nothing. The Stop is used up by that.",
		run: func(r *rig) {
			for _, run := range []func(){func() { r.loop.Run() }, r.loop.RunForever} {
				far := r.loop.CallLater(time.Hour, r.note("far"))
				start := r.loop.Time()
				r.loop.CallSoon(func() {
					r.note("a")()
					r.loop.CallSoon(r.note("b"))
				})
				r.loop.Stop()
				run()
				r.want("in the stopped run", "a")
				if passed := r.loop.Time().Sub(start); passed >= time.Hour {
					r.t.Errorf("the stopped run waited for the timer: %v passed", passed)
				}
				r.turn()
				r.want("in the next turn", "b")
				r.loop.Stop()
				run() // with nothing ready it does not wait either
				if passed := r.loop.Time().Sub(start); passed >= time.Hour {
					r.t.Errorf("the stopped run waited with nothing ready: %v passed", passed)
				}
				far.Cancel()
			}
		},
	},
	{
		name:        "stop/run forever",
		explanation: "RunForever ends by Stop only; it waits when nothing is ready, and goes on where it was.",
		run: func(r *rig) {
			for _, name := range []string{"a", "b"} {
				r.loop.CallLater(tick, func() {
					r.note(name)()
					r.loop.Stop()
				})
				r.loop.RunForever()
				r.want("until Stop", name)
			}
		},
	},
	{
		name:        "stop/by a timer",
		explanation: "Stop in a callback of a timer: the timers due with it run in that turn, later ones are kept.",
		run: func(r *rig) {
			r.ahead(func(at time.Time) []Handle {
				a := r.loop.CallAt(at, func() {
					r.note("a")()
					r.loop.Stop()
				})
				return []Handle{a, r.loop.CallAt(at, r.note("b"))}
			})
			last := r.loop.CallLater(time.Hour, r.note("last"))
			r.loop.RunForever()
			r.want("until Stop", "a b")
			if when, ok := r.loop.NextDeadline(); !ok || !when.Equal(last.When()) {
				r.t.Errorf("after Stop the next deadline is %v, %v, want %v", when, ok, last.When())
			}
		},
	},
	{
		name:        "stop/idle",
		explanation: "Run ends by itself when nothing is ready and no timer is left, at once if there never was anything, and can be called again.",
		run: func(r *rig) {
			r.quit()
			r.loop.CallSoon(func() { r.loop.CallLater(tick, r.note("a")) })
			r.quit()
			r.want("until idle", "a")
			if !r.loop.Idle() {
				r.t.Error("Idle is false after Run")
			}
			h := r.loop.CallLater(time.Hour, r.note("b"))
			if r.loop.Idle() {
				r.t.Error("Idle is true with a timer")
			}
			h.Cancel()
			r.loop.CallSoon(r.note("c"))
			if r.loop.Idle() {
				r.t.Error("Idle is true with a callback that is ready")
			}
		},
	},
	{
		name:        "stop/is running",
		explanation: "IsRunning is true inside callbacks and nowhere else.",
		run: func(r *rig) {
			if r.loop.IsRunning() {
				r.t.Error("a new loop is running")
			}
			r.loop.CallSoon(func() {
				if !r.loop.IsRunning() {
					r.t.Error("the loop is not running inside a callback")
				}
			})
			r.quit()
			if r.loop.IsRunning() {
				r.t.Error("the loop is running after Run")
			}
		},
	},
}

var onceCases = []testCase{
	{
		name:        "once/one turn",
		explanation: "RunOnce runs one turn, and a callback that schedules itself again does not keep it from returning.",
		run: func(r *rig) {
			n := 0
			var again func()
			again = func() {
				n++
				r.loop.CallSoon(again)
			}
			r.loop.CallSoon(again)
			for i := range 100 {
				r.loop.RunOnce(-1)
				if n != i+1 {
					r.t.Fatalf("%d turns ran the callback %d times", i+1, n)
				}
			}
		},
	},
	{
		name:        "once/bounded wait",
		explanation: "RunOnce(max) waits at most max, and RunOnce(0) not at all, whatever the next timer says.",
		run: func(r *rig) {
			start := r.loop.Time()
			r.loop.CallLater(time.Hour, r.note("far"))
			r.turn()
			r.loop.RunOnce(tick)
			r.want("before the timer", "")
			if passed := r.loop.Time().Sub(start); passed >= time.Hour {
				r.t.Errorf("%v passed", passed)
			}
		},
	},
	{
		name:        "once/the next thing",
		explanation: "RunOnce without a limit waits for the next timer and runs its callback in the same turn.",
		run: func(r *rig) {
			r.loop.CallLater(tick, r.note("a"))
			r.until(func() bool { return len(r.notes) > 0 })
			r.want("in the turn", "a")
		},
	},
	{
		name:        "once/poll",
		explanation: "Every RunOnce polls: one that is driven from outside hears of timers and of other goroutines although it is never idle.",
		run: func(r *rig) {
			r.loop.CallSoon(r.note("soon"))
			_, err := r.loop.CallSoonThreadsafe(r.note("threadsafe"))
			r.ok("CallSoonThreadsafe", err)
			r.turn()
			r.want("one turn", "soon threadsafe")
		},
	},
}
