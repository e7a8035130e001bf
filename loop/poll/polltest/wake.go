// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"sync"
	"sync/atomic"
	"time"

	"baton/loop/poll"
)

// wakeCases are about Wake, which other goroutines call. A lost Wake leaves the loop asleep. So
// most of these cases hang when they fail, and the limit of the suite ends them.
var wakeCases = []testCase{
	// This is the classic lost wake-up: the poller checks the flag, the Wake comes, the poller
	// sleeps.
	{
		name:        "wake/before Wait",
		explanation: "A Wake before a Wait ends that Wait at once, however often it was called. The loop checks its queue and then waits, and a callback may be posted between the two.",
		run: func(r *rig) {
			for range 3 {
				r.poller.Wake()
			}
			start := r.poller.Now()
			r.wait(-1) // would hang
			if r.poller.Caps().Has(poll.Virtual) && !r.poller.Now().Equal(start) {
				r.t.Errorf("a Wait that a Wake ended took %v of virtual time", r.poller.Now().Sub(start))
			}
		},
	},
	// A poller with a counter or a pipe instead of a flag would count the Wakes.
	{
		name:        "wake/many are one",
		explanation: "Several Wakes before a Wait end only that Wait. Otherwise many posts would make the loop spin.",
		run: func(r *rig) {
			for range 100 {
				r.poller.Wake()
			}
			r.wait(-1)
			r.sleep(time.Millisecond)
		},
	},
	{
		name:        "wake/before a report",
		explanation: "A Wait that reports operations also consumes the Wakes before it. The loop checks its queues after every Wait, so another early Wait would be useless.",
		run: func(r *rig) {
			const rounds = 20
			early := 0
			for range rounds {
				client, server := r.pair()
				op := read(server, 8)
				r.submit(op)
				r.ok("Close", server.Close())
				r.poller.Wake()
				if r.wait(patience); r.inFlight[op] {
					r.t.Fatal("the Wait after a Close did not report the Read that it ended")
				}
				early += r.sleep(time.Millisecond)
				r.ok("Close", client.Close())
			}
			if early > rounds/2 {
				r.t.Errorf("%d Waits of %d were ended by a Wake before the last Wait", early, rounds+early)
			}
		},
	},
	{
		name:        "wake/after Wait(0)",
		explanation: "A Wake ends the next Wait of any kind. A Wait(0) consumes it, too, and a later Wake counts again.",
		run: func(r *rig) {
			// The case cannot know whether the Wait(0) has consumed the first Wake. The next
			// Wait must end in any case.
			r.poller.Wake()
			r.wait(0)
			r.poller.Wake()
			r.wait(-1) // would hang
		},
	},
	// The poller is about to sleep and does not check the flag any more, so the Wake must end
	// the sleep.
	{
		name:        "wake/during Wait",
		explanation: "A Wake from another goroutine ends the running Wait.",
		run: func(r *rig) {
			// The channel is unbuffered, so a Wake comes just when the case calls Wait:
			// sometimes before, sometimes during it.
			rounds := make(chan struct{})
			var wakes sync.WaitGroup
			wakes.Go(func() {
				for range rounds {
					r.poller.Wake()
				}
			})
			for range 2000 {
				rounds <- struct{}{}
				r.wait(-1) // would hang
			}
			close(rounds)
			wakes.Wait()
		},
	},
	// The deadline must not win because it was set first.
	{
		name:        "wake/out of a long Wait",
		explanation: "A Wake also ends a Wait with a distant deadline. A poller may sleep differently with and without a limit, so there is a case for each.",
		lacks:       poll.Jumps, // such a clock jumps before the Wake
		run: func(r *rig) {
			for range 5 {
				start := r.poller.Now()
				time.AfterFunc(5*time.Millisecond, r.poller.Wake)
				r.wait(time.Hour)
				if passed := r.poller.Now().Sub(start); passed >= time.Hour {
					r.t.Fatalf("the Wait took %v", passed)
				}
				r.sleep(time.Millisecond)
			}
		},
	},
	{
		name:        "wake/out of an endless Wait",
		explanation: "A Wait without a limit lasts, whatever deadlines and Wakes were before. A Wait that returns again and again keeps a processor busy.",
		run: func(r *rig) {
			for range 5 {
				// The poller may still have two old deadlines: one that was never reached, and
				// one that has just passed.
				r.poller.Wake()
				r.wait(time.Hour)
				r.sleep(time.Millisecond)
				var posted atomic.Bool
				time.AfterFunc(5*time.Millisecond, func() {
					posted.Store(true)
					r.poller.Wake()
				})
				for waits := 0; !posted.Load(); waits++ {
					if waits > 5 {
						r.t.Fatalf("%d Waits without a limit returned for no reason", waits)
					}
					r.wait(-1)
				}
			}
		},
	},
	{
		name:        "wake/as time runs out",
		explanation: "A Wake may come at the moment at which a Wait ends by itself. It must end that Wait or the next one. Otherwise a posted function might wait forever.",
		run: func(r *rig) {
			var posted atomic.Bool
			rounds := make(chan struct{}, 1)
			var wakes sync.WaitGroup
			wakes.Go(func() {
				for range rounds {
					posted.Store(true)
					r.poller.Wake()
				}
			})
			// A loop waits like this: it checks for posted functions after each Wait, and
			// before a Wait without a limit.
			for i := range 2000 {
				rounds <- struct{}{}
				r.wait(time.Duration(i%100) * time.Microsecond)
				for !posted.Swap(false) {
					r.wait(-1) // would hang
				}
			}
			close(rounds)
			wakes.Wait()
		},
	},
	{
		name:        "wake/from many goroutines",
		explanation: "No Wake is lost. A goroutine that posts a function and then calls Wake can rely on the loop, whatever seven other goroutines do.",
		run:         wakeFromMany,
	},
	// A Wait that a Wake ends returns by another code path, which may forget the completed
	// operations.
	{
		name:        "wake/loses no completion",
		explanation: "A Wait that a Wake ends must report the operations that have completed.",
		run: func(r *rig) {
			client, server := r.pair()
			var stop atomic.Bool
			var wakes sync.WaitGroup
			wakes.Go(func() {
				for !stop.Load() {
					r.poller.Wake()
				}
			})
			for range 500 {
				in := read(server, 4)
				r.submit(in)
				r.say(client, "ping")
				r.finish(in)
				if string(in.Buf[:in.N]) != "ping" {
					r.t.Fatalf("read %q, want ping", in.Buf[:in.N])
				}
			}
			stop.Store(true)
			wakes.Wait()
		},
	},
}

// wakeFromMany posts and wakes from eight goroutines, each of which waits until its post was
// seen. A lost Wake is a hang: the goroutine waits for the loop, and the loop sleeps. The bits
// are checked after the Wait, so that a Wake which comes too early does not help.
func wakeFromMany(r *rig) {
	const posters, posts = 8, 500
	var posted atomic.Int64
	var acks [posters]chan struct{}
	var group sync.WaitGroup
	for i := range posters {
		acks[i] = make(chan struct{}, 1)
		group.Go(func() {
			for range posts {
				posted.Or(1 << i)
				r.poller.Wake()
				<-acks[i]
			}
		})
	}
	for seen := 0; seen < posters*posts; {
		r.wait(-1)
		bits := posted.Swap(0)
		for i := range posters {
			if bits&(1<<i) != 0 {
				seen++
				acks[i] <- struct{}{}
			}
		}
	}
	group.Wait()
}
