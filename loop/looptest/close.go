// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"os"
	"time"
)

var closeCases = []testCase{
	{
		name:        "close/twice",
		explanation: "A second Close does nothing, so cleanup code may call Close without knowing who closed first.",
		run: func(r *rig) {
			if r.loop.IsClosed() {
				r.t.Error("a new loop is closed")
			}
			r.ok("Close", r.loop.Close())
			if !r.loop.IsClosed() {
				r.t.Error("IsClosed is false after Close")
			}
			r.ok("second Close", r.loop.Close())
		},
	},
	{
		name:        "close/while running",
		explanation: "Close inside the running loop is misuse and panics. The loop goes on undamaged.",
		run: func(r *rig) {
			r.loop.CallSoon(func() {
				r.panics("Close in a callback", func() { r.loop.Close() })
				r.loop.CallSoon(r.note("after"))
			})
			r.quit()
			r.want("in the run", "after")
		},
	},
	{
		name:        "close/drops callbacks",
		explanation: "Callbacks that are scheduled when the loop is closed never run. Their handles may still be cancelled, because deferred cleanup runs in any order.",
		run: func(r *rig) {
			handles := []Handle{
				r.loop.CallSoon(r.note("soon")),
				r.loop.CallLater(tick, r.note("later")),
				r.loop.CallLater(time.Hour, r.note("much later")),
				r.loop.CallRepeatedly(tick, r.note("repeatedly")),
			}
			h, err := r.loop.CallSoonThreadsafe(r.note("threadsafe"))
			r.ok("CallSoonThreadsafe", err)
			r.ok("Close", r.loop.Close())
			for _, h := range append(handles, h) {
				h.Cancel()
			}
			r.want("after Close", "")
		},
	},
	{
		name:        "close/use after Close",
		explanation: "Using a closed loop panics. CallSoonThreadsafe returns an error instead, because other goroutines cannot know that the loop was closed. The Remove methods return false.",
		run: func(r *rig) {
			r.ok("Close", r.loop.Close())
			fn := func() {}
			for what, call := range map[string]func(){
				"CallSoon":         func() { r.loop.CallSoon(fn) },
				"CallLater":        func() { r.loop.CallLater(tick, fn) },
				"CallAt":           func() { r.loop.CallAt(time.Time{}, fn) },
				"CallRepeatedly":   func() { r.loop.CallRepeatedly(tick, fn) },
				"AddReader":        func() { r.loop.AddReader(0, fn) },
				"AddWriter":        func() { r.loop.AddWriter(0, fn) },
				"AddSignalHandler": func() { r.loop.AddSignalHandler(os.Interrupt, fn) },
				"Run":              func() { r.loop.Run() },
				"RunOnce":          func() { r.loop.RunOnce(0) },
				"RunForever":       func() { r.loop.RunForever() },
				"Stop":             func() { r.loop.Stop() },
			} {
				r.panics(what+" after Close", call)
			}
			if _, err := r.loop.CallSoonThreadsafe(fn); err == nil {
				r.t.Error("CallSoonThreadsafe after Close returned no error")
			}
			if r.loop.RemoveReader(0) || r.loop.RemoveWriter(0) || r.loop.RemoveSignalHandler(os.Interrupt) {
				r.t.Error("a Remove method returned true after Close")
			}
			if r.loop.IsRunning() {
				r.t.Error("IsRunning after Close")
			}
		},
	},
}

var misuseCases = []testCase{
	{
		name:        "misuse/run inside",
		explanation: "A loop does not run inside itself: the Run methods panic in a callback, and the loop goes on.",
		run: func(r *rig) {
			r.loop.CallSoon(func() {
				r.panics("Run in a callback", func() { r.loop.Run() })
				r.panics("RunOnce in a callback", func() { r.loop.RunOnce(0) })
				r.panics("RunForever in a callback", func() { r.loop.RunForever() })
				if !r.loop.IsRunning() {
					r.t.Error("the loop does not run any more")
				}
				r.loop.CallSoon(r.note("after"))
			})
			r.quit()
			r.want("in the run", "after")
		},
	},
	{
		name:        "misuse/nil",
		explanation: "A call with a nil callback panics at once. A panic in a later turn would not show which call was wrong.",
		run: func(r *rig) {
			r.panics("CallSoon(nil)", func() { r.loop.CallSoon(nil) })
			r.panics("CallLater(nil)", func() { r.loop.CallLater(tick, nil) })
			r.panics("CallAt(nil)", func() { r.loop.CallAt(time.Time{}, nil) })
			r.panics("CallRepeatedly(nil)", func() { r.loop.CallRepeatedly(tick, nil) })
			r.panics("CallSoonThreadsafe(nil)", func() { r.loop.CallSoonThreadsafe(nil) })
			r.panics("AddReader(nil)", func() { r.loop.AddReader(0, nil) })
			r.panics("AddWriter(nil)", func() { r.loop.AddWriter(0, nil) })
			r.panics("AddSignalHandler(nil)", func() { r.loop.AddSignalHandler(os.Interrupt, nil) })
			r.quit()
		},
	},
	{
		name:        "misuse/another goroutine",
		explanation: "While a loop runs, only its callbacks may call it. A call from another goroutine panics at once, always: otherwise it would be a data race that shows much later.",
		run: func(r *rig) {
			h := r.loop.CallLater(time.Hour, r.note("far"))
			r.loop.CallSoon(func() {
				foreign := make(chan struct{})
				go func() {
					defer close(foreign)
					r.panics("CallSoon from another goroutine", func() { r.loop.CallSoon(r.note("a")) })
					r.panics("CallLater from another goroutine", func() { r.loop.CallLater(tick, r.note("b")) })
					r.panics("CallAt from another goroutine", func() { r.loop.CallAt(time.Time{}, r.note("c")) })
					r.panics("Stop from another goroutine", func() { r.loop.Stop() })
					r.panics("Run from another goroutine", func() { r.loop.Run() })
					r.panics("Cancel from another goroutine", func() { h.Cancel() })
				}()
				<-foreign
				h.Cancel()
			})
			r.quit()
			r.want("in the run", "")
		},
	},
}
