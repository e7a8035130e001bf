// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"errors"
	"runtime"
)

// errBroken is what the suite's callbacks panic with.
var errBroken = errors.New("looptest: broken on purpose")

var failureCases = []testCase{
	{
		name:        "failure/panic",
		explanation: "A callback that panics is reported once, with the error it panicked with, and the next callbacks run as if nothing had happened.",
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
		name:        "failure/any value",
		explanation: "A panic need not be an error; it is reported all the same.",
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
		name:        "failure/stop all the same",
		explanation: "A Stop before a panic counts.",
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
		explanation: "runtime.Goexit in a callback (a test's FailNow) ends the goroutine that runs the loop, and nothing else: the loop does not run any more, and its next run goes on with the next callback.",
		run: func(r *rig) {
			r.loop.CallSoon(r.note("a"))
			r.loop.CallSoon(runtime.Goexit)
			r.loop.CallSoon(r.note("b"))
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				r.loop.Run()
				r.t.Error("Run returned from a Goexit")
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

// wantReported checks what callbacks have panicked with, and forgets it.
func (r *rig) wantReported(want error) {
	r.t.Helper()
	if len(r.reported) != 1 || !errors.Is(r.reported[0], want) {
		r.t.Errorf("reported: %v, want %v, once", r.reported, want)
	}
	r.reported = nil
}
