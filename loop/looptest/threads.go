// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"sync"
	"time"
)

var threadCases = []testCase{
	{
		name:        "threads/wake",
		explanation: "CallSoonThreadsafe wakes a loop that waits in its poller with nothing to do.",
		run: func(r *rig) {
			waiting := make(chan struct{})
			var other sync.WaitGroup
			other.Go(func() {
				<-waiting
				for range 100 {
					woken := make(chan struct{})
					if _, err := r.loop.CallSoonThreadsafe(func() { close(woken) }); err != nil {
						r.t.Errorf("CallSoonThreadsafe: %v", err)
						return
					}
					<-woken
				}
				r.loop.CallSoonThreadsafe(r.loop.Stop)
			})
			r.loop.CallSoon(func() { close(waiting) })
			r.loop.RunForever()
			other.Wait()
		},
	},
	{
		name:        "threads/own goroutine",
		explanation: "CallSoonThreadsafe also works in the loop's own callbacks. Its handle can be cancelled.",
		run: func(r *rig) {
			r.loop.CallSoon(func() {
				_, err := r.loop.CallSoonThreadsafe(r.note("a"))
				r.ok("CallSoonThreadsafe", err)
				h, err := r.loop.CallSoonThreadsafe(r.note("b"))
				r.ok("CallSoonThreadsafe", err)
				h.Cancel()
				_, err = r.loop.CallSoonThreadsafe(r.note("c"))
				r.ok("CallSoonThreadsafe", err)
			})
			r.quit()
			r.want("in the run", "a c")
		},
	},
	{
		name:        "threads/many senders",
		explanation: "With many senders, no call is lost, none runs twice, the calls of one goroutine keep their order, and no two callbacks overlap. Callbacks may therefore share a variable without a lock.",
		run:         storm,
	},
	{
		name:        "threads/race with close",
		explanation: "If a goroutine calls CallSoonThreadsafe while the loop is being closed, the call returns an error or is dropped. It does not crash and is not a data race.",
		run: func(r *rig) {
			var others sync.WaitGroup
			begun := make(chan struct{}, 8)
			for range cap(begun) {
				others.Go(func() {
					for n := 0; ; n++ {
						if _, err := r.loop.CallSoonThreadsafe(func() {}); err != nil {
							return
						}
						if n == 0 {
							begun <- struct{}{}
						}
					}
				})
			}
			for range cap(begun) {
				<-begun
			}
			r.turn()
			r.ok("Close", r.loop.Close())
			others.Wait() // each goroutine gets an error in the end
		},
	},
}

func storm(r *rig) {
	const senders, each = 8, 1000
	inside, total := false, 0
	next := make([]int, senders)
	exclusive := func(fn func()) func() {
		return func() {
			if inside {
				r.t.Error("two callbacks overlap")
			}
			inside = true
			fn()
			inside = false
		}
	}
	finish := func() {
		if total++; total == senders*each {
			r.loop.Stop()
		}
	}
	busy := r.loop.CallRepeatedly(100*time.Microsecond, exclusive(func() {
		r.loop.CallSoon(exclusive(func() {}))
	}))
	var others sync.WaitGroup
	for s := range senders {
		others.Go(func() {
			for i := range each {
				_, err := r.loop.CallSoonThreadsafe(exclusive(func() {
					if next[s] != i {
						r.t.Errorf("goroutine %d: call %d ran, want call %d", s, i, next[s])
					}
					next[s] = i + 1
					finish()
				}))
				if err != nil {
					r.t.Errorf("CallSoonThreadsafe: %v", err)
				}
			}
		})
	}
	r.loop.RunForever()
	others.Wait()
	busy.Cancel()
	r.quit()
	if total != senders*each {
		r.t.Errorf("%d calls ran, want %d", total, senders*each)
	}
}
