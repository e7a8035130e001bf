// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"sync"
	"sync/atomic"
	"time"

	"baton/loop/poll"
)

// wakeCases are about the one call that other goroutines make. What is lost here
// is lost for good: the loop sleeps, and nobody knows. So most of these cases
// hang when they fail, and the suite's limit ends them.
var wakeCases = []testCase{
	// The classic lost wake-up: the flag is read, the Wake comes, the poller
	// sleeps.
	{
		name:        "wake/before Wait",
		explanation: "A Wake before a Wait ends that Wait at once, however often it was called: the loop looks at its queue, then waits, and a callback may be posted between the two.",
		run: func(r *rig) {
			for range 3 {
				r.poller.Wake()
			}
			start := r.poller.Now()
			r.wait(-1) // would hang
			if r.poller.Caps().Has(poll.Virtual) && !r.poller.Now().Equal(start) {
				r.t.Errorf("the Wait that a Wake ended took %v of virtual time", r.poller.Now().Sub(start))
			}
		},
	},
	// A counter or a pipe in place of a flag remembers each of them.
	{
		name:        "wake/many are one",
		explanation: "Wakes before one Wait end that Wait only; otherwise a burst of posts makes the loop spin.",
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
		explanation: "A Wait that has operations to report takes the Wakes before it along: the loop looks at its queues after every Wait, so a second look would find nothing.",
		run: func(r *rig) {
			const rounds = 20
			early := 0
			for range rounds {
				client, server := r.pair()
				op := read(server, 8)
				r.submit(op)
				r.ok("Close", server.Close())
				r.poller.Wake()
				if r.wait(patience); r.flying[op] {
					r.t.Fatal("the Wait after a Close did not report what it ended")
				}
				early += r.sleep(time.Millisecond)
				r.ok("Close", client.Close())
			}
			if early > rounds/2 {
				r.t.Errorf("%d Waits of %d were ended by a Wake of the one before", early, rounds+early)
			}
		},
	},
	{
		name:        "wake/after Wait(0)",
		explanation: "A Wake is for the next Wait of any kind; one that only looks takes it too, and a later Wake counts anew.",
		run: func(r *rig) {
			// Whether the first one is gone by now nobody can tell: the next
			// Wait may end because of either. That it ends is the promise.
			r.poller.Wake()
			r.wait(0)
			r.poller.Wake()
			r.wait(-1) // would hang
		},
	},
	// The other half of the classic: the poller is already on its way to sleep
	// and can no longer see a flag; something must reach it there.
	{
		name:        "wake/during Wait",
		explanation: "A Wake from another goroutine ends the Wait in progress.",
		run: func(r *rig) {
			// The channel has no room, so a Wake comes just when the case goes
			// on into its Wait: sometimes before, sometimes during it.
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
	// The two clocks meet here: the deadline must not win because it was set
	// first.
	{
		name:        "wake/out of a long Wait",
		explanation: "A Wake ends a Wait with a deadline far away just as well. A poller without limit of time sleeps differently from one with it, hence both.",
		lacks:       poll.Jumps, // such a clock has jumped before anybody wakes
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
		explanation: "A Wait without a limit lasts, whatever deadlines and wake-ups were before: one that returns again and again keeps a processor busy for nothing.",
		run: func(r *rig) {
			for range 5 {
				// Deadlines that a poller might still have in its books: one
				// that was never reached, and one that has just passed.
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
						r.t.Fatalf("%d Waits without a limit have returned for no reason", waits)
					}
					r.wait(-1)
				}
			}
		},
	},
	{
		name:        "wake/as time runs out",
		explanation: "A Wake may come at the very moment at which a Wait ends by itself. It ends that one or the next; if neither, what was posted waits for a timer, perhaps for ever.",
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
			// This is how a loop waits: what was posted is looked for after each
			// Wait, and before one without a limit.
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
		explanation: "No Wake is lost: whoever posts something and then wakes the loop may rely on it being seen, whatever seven others do at that moment.",
		run:         wakeFromMany,
	},
	// A Wait that was woken returns by another path, on which the finished
	// operations are easily forgotten.
	{
		name:        "wake/loses no completion",
		explanation: "A Wait that a Wake has ended must not drop what finished meanwhile.",
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

// wakeFromMany posts and wakes from eight goroutines, each of which goes on
// only when its post was seen. A lost Wake is a hang: the poster waits for the
// loop, and the loop, which sleeps, for the poster. The bits are taken after the
// Wait and not before, so that a Wake which comes too early does not help.
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
