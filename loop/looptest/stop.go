// SPDX-License-Identifier: Apache-2.0

package looptest

import "time"

var stopCases = []testCase{
	{
		name:        "stop/end of the turn",
		explanation: "Stop lets the current turn end. Callbacks that were ready in this turn still run. Callbacks that they add run in the next run, and are not lost.",
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
				r.t.Error("Run returned false after Stop")
			}
			r.want("until Stop", "a b")
			r.quit()
			r.want("in the next run", "c d")
		},
	},
	{
		name:        "stop/before the run",
		explanation: "After a Stop before the run, the run is one turn that does not wait: ready callbacks run, and a later timer does not delay the return. The run after it is not affected.",
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
				run() // does not wait, although nothing is ready
				if passed := r.loop.Time().Sub(start); passed >= time.Hour {
					r.t.Errorf("the stopped run waited with nothing ready: %v passed", passed)
				}
				far.Cancel()
			}
		},
	},
	{
		name:        "stop/run forever",
		explanation: "RunForever returns only after Stop. It waits while nothing is ready. A second RunForever continues where the first one stopped.",
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
		explanation: "If a timer's callback calls Stop, the timers that are due in the same turn still run, and later timers are kept.",
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
		explanation: "Run returns by itself when nothing is ready and no timer is left. If there never was anything to do, Run returns at once. It can be called again.",
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
		explanation: "IsRunning is true inside callbacks, and false otherwise.",
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
		explanation: "RunOnce runs one turn and returns, even if a callback schedules itself again.",
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
		explanation: "RunOnce(max) waits at most max, and RunOnce(0) does not wait, even if the next timer is later.",
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
		name:        "once/wait for a timer",
		explanation: "RunOnce without a limit waits for the next timer, and runs its callback in the same turn.",
		run: func(r *rig) {
			r.loop.CallLater(tick, r.note("a"))
			r.until(func() bool { return len(r.notes) > 0 })
			r.want("in the turn", "a")
		},
	},
	{
		name:        "once/poll",
		explanation: "Every RunOnce polls: timers and calls from other goroutines reach a guest loop even if it is always busy.",
		run: func(r *rig) {
			r.loop.CallSoon(r.note("soon"))
			_, err := r.loop.CallSoonThreadsafe(r.note("threadsafe"))
			r.ok("CallSoonThreadsafe", err)
			r.turn()
			r.want("one turn", "soon threadsafe")
		},
	},
}
