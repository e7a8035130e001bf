// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"errors"
	"runtime"
)

// errBroken is the value with which the suite's callbacks panic.
var errBroken = errors.New("looptest: broken on purpose")

var failureCases = []testCase{
	{
		name:        "failure/panic",
		explanation: "If a callback panics, the panic is reported once, with its error, and the next callbacks run as usual.",
		run: func(r *rig) {
			r.loop.CallSoon(r.note("a"))
			r.loop.CallSoon(func() { panic(errBroken) })
			r.loop.CallSoon(r.note("b"))
			r.quit()
			r.want("in the run", "a b")
			r.wantReported(errBroken)
			r.loop.CallLater(tick, func() { panic(errBroken) })
			r.loop.CallLater(tick, r.note("c"))
			r.quit()
			r.want("with timers", "c")
			r.wantReported(errBroken)
		},
	},
	{
		name:        "failure/panic with any value",
		explanation: "A panic is reported even if its value is not an error.",
		run: func(r *rig) {
			r.loop.CallSoon(func() { panic("a string") })
			r.loop.CallSoon(func() { panic(nil) })
			r.loop.CallSoon(func() { _ = r.notes[len(r.notes)] })
			r.quit()
			if len(r.reported) != 3 {
				r.t.Errorf("%d of 3 panics were reported", len(r.reported))
			}
			r.reported = nil
		},
	},
	{
		name:        "failure/stop before the panic",
		explanation: "A callback that calls Stop and then panics stops the loop.",
		run: func(r *rig) {
			r.loop.CallSoon(func() {
				r.loop.Stop()
				panic(errBroken)
			})
			r.loop.RunForever()
			r.wantReported(errBroken)
		},
	},
	{
		name:        "failure/goexit",
		explanation: "runtime.Goexit in a callback (a test's FailNow) ends the goroutine that runs the loop. The loop then is not running, and its next run continues with the next callback.",
		run: func(r *rig) {
			r.loop.CallSoon(r.note("a"))
			r.loop.CallSoon(runtime.Goexit)
			r.loop.CallSoon(r.note("b"))
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				r.loop.Run()
				r.t.Error("Run returned after Goexit in a callback")
			}()
			<-ended
			if r.loop.IsRunning() {
				r.t.Error("the loop is still running")
			}
			r.want("until Goexit", "a")
			r.quit()
			r.want("in the next run", "b")
		},
	},
}

// wantReported checks that the only reported panic is want, and clears the list of reported
// panics.
func (r *rig) wantReported(want error) {
	r.t.Helper()
	if len(r.reported) != 1 || !errors.Is(r.reported[0], want) {
		r.t.Errorf("reported panics: %v, want %v once", r.reported, want)
	}
	r.reported = nil
}
