// SPDX-License-Identifier: Apache-2.0

package looptest

import "fmt"

var orderCases = []testCase{
	{
		name:        "order/first in, first out",
		explanation: "Callbacks run in the order of their CallSoon calls, each exactly once, and never before CallSoon has returned.",
		run: func(r *rig) {
			want := ""
			for i := range 100 {
				r.loop.CallSoon(r.note(fmt.Sprint(i)))
				if i > 0 {
					want += " "
				}
				want += fmt.Sprint(i)
			}
			r.want("before the loop ran", "")
			r.quit()
			r.want("in the run", want)
			r.quit()
			r.want("in another run", "")
		},
	},
	{
		name:        "order/next turn",
		explanation: "A turn runs the callbacks that were ready when it began. Callbacks that are added meanwhile wait for the next turn.",
		run: func(r *rig) {
			r.loop.CallSoon(func() {
				r.note("a")()
				r.loop.CallSoon(r.note("c"))
			})
			r.loop.CallSoon(r.note("b"))
			r.turn()
			r.want("first turn", "a b")
			r.turn()
			r.want("second turn", "c")
		},
	},
	{
		name:        "order/no starvation",
		explanation: "A callback that schedules itself again in every turn does not keep the loop from polling: a busy loop polls after a bounded number of turns.",
		run: func(r *rig) {
			const bound = 1000
			turns, ran := 0, 0
			var again func()
			again = func() {
				if turns++; turns > bound {
					return
				}
				if ran == 0 {
					r.loop.CallSoon(again)
				}
			}
			r.loop.CallSoon(again)
			r.loop.CallSoon(func() {
				_, err := r.loop.CallSoonThreadsafe(func() { ran = turns })
				r.ok("CallSoonThreadsafe", err)
			})
			r.quit()
			if ran == 0 {
				r.t.Errorf("a busy loop did not run the callback of CallSoonThreadsafe within %d turns", bound)
			}
		},
	},
	{
		name:        "order/cancel",
		explanation: "A cancelled callback never runs. Cancel may be called any number of times, before and after the callback has run.",
		run: func(r *rig) {
			a := r.loop.CallSoon(r.note("a"))
			b := r.loop.CallSoon(r.note("b"))
			c := r.loop.CallSoon(r.note("c"))
			b.Cancel()
			b.Cancel()
			r.quit()
			r.want("after Cancel of b", "a c")
			a.Cancel()
			c.Cancel()
			r.loop.CallSoon(r.note("d"))
			r.quit()
			r.want("after Cancel of what had run", "d")
		},
	},
	{
		name:        "order/cancel in the batch",
		explanation: "A callback may cancel the callback that runs right after it in the same turn. Transports rely on this when they close a connection.",
		run: func(r *rig) {
			var b, c Handle
			r.loop.CallSoon(func() {
				r.note("a")()
				b.Cancel()
			})
			b = r.loop.CallSoon(r.note("b"))
			c = r.loop.CallSoon(func() {
				r.note("c")()
				c.Cancel() // cancels itself while it runs
			})
			r.quit()
			r.want("in the turn", "a c")
		},
	},
	{
		name:        "order/no time",
		explanation: "A callback of CallSoon has no time: When returns the zero time.",
		run: func(r *rig) {
			if when := r.loop.CallSoon(r.note("a")).When(); !when.IsZero() {
				r.t.Errorf("When of a CallSoon is %v", when)
			}
		},
	},
}
