// SPDX-License-Identifier: Apache-2.0

package looptest

import "fmt"

var orderCases = []testCase{
	{
		name:        "order/first in, first out",
		explanation: "Callbacks run in the order of their CallSoon, each exactly once, and none before its CallSoon has returned.",
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
		explanation: "A turn runs what was ready when it began; what its callbacks add waits for the next one.",
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
		explanation: "A callback that schedules itself again in every turn keeps nobody else waiting: the loop still polls, after a bounded number of turns.",
		run: func(r *rig) {
			const bound = 1000
			turns, heard := 0, 0
			var again func()
			again = func() {
				if turns++; turns > bound {
					return
				}
				if heard == 0 {
					r.loop.CallSoon(again)
				}
			}
			r.loop.CallSoon(again)
			r.loop.CallSoon(func() {
				_, err := r.loop.CallSoonThreadsafe(func() { heard = turns })
				r.ok("CallSoonThreadsafe", err)
			})
			r.quit()
			if heard == 0 {
				r.t.Errorf("nothing from outside was heard in %d turns of a busy loop", bound)
			}
		},
	},
	{
		name:        "order/cancel",
		explanation: "A cancelled callback never runs, and Cancel may come any number of times, before and after.",
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
		explanation: "A callback may cancel one that is to run right after it, in the same turn. Transports rely on it when a connection is closed.",
		run: func(r *rig) {
			var b, c Handle
			r.loop.CallSoon(func() {
				r.note("a")()
				b.Cancel()
			})
			b = r.loop.CallSoon(r.note("b"))
			c = r.loop.CallSoon(func() {
				r.note("c")()
				c.Cancel() // itself, which runs
			})
			r.quit()
			r.want("in the turn", "a c")
		},
	},
	{
		name:        "order/nothing to name",
		explanation: "CallSoon has no time: its handle's When is the zero time.",
		run: func(r *rig) {
			if when := r.loop.CallSoon(r.note("a")).When(); !when.IsZero() {
				r.t.Errorf("When of a CallSoon is %v", when)
			}
		},
	},
}
