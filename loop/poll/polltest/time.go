// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"time"

	"baton/loop/poll"
)

var timeCases = []testCase{
	{
		name:        "timer/never early",
		explanation: "A Wait with nothing to report lasts until Now says that d has passed, give or take a stray early return; a loop whose timers come early runs callbacks before their time.",
		run: func(r *rig) {
			for _, d := range []time.Duration{1, 50 * time.Microsecond, time.Millisecond, 7 * time.Millisecond} {
				start := r.poller.Now()
				waits := 0
				for left := d; left > 0; left = start.Add(d).Sub(r.poller.Now()) {
					if waits++; waits > 5 {
						r.t.Fatalf("%d Waits returned early, and %v of %v are still left", waits-1, left, d)
					}
					r.wait(left)
				}
				r.t.Logf("Wait(%v) took %v", d, r.poller.Now().Sub(start))
			}
		},
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
			if !r.flying[op] {
				r.t.Errorf("a Read without data finished: %v", op.Err)
			}
		},
	},
	{
		name:        "timer/completion first",
		explanation: "A Wait ends with the first completion, not with its deadline: otherwise every answer would be as late as the next timer.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.say(client, "now")
			start := r.poller.Now()
			for r.flying[op] && r.poller.Now().Sub(start) < time.Hour {
				r.wait(time.Hour)
			}
			if r.flying[op] {
				r.t.Fatal("an hour passed before a Read was reported whose data was there")
			}
		},
	},
}
