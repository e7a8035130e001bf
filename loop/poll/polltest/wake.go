// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"sync"
	"sync/atomic"
	"time"

	"baton/loop/poll"
)

var wakeCases = []testCase{
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
	{
		name:        "wake/many are one",
		explanation: "Wakes before one Wait end that Wait only; otherwise a burst of posts makes the loop spin.",
		run: func(r *rig) {
			for range 100 {
				r.poller.Wake()
			}
			r.wait(-1)
			start, waits := r.poller.Now(), 0
			for r.poller.Now().Sub(start) < time.Millisecond {
				if waits++; waits > 5 {
					r.t.Fatalf("after 100 Wakes and one Wait, %d more Waits returned early", waits-1)
				}
				r.wait(time.Millisecond)
			}
		},
	},
	{
		name:        "wake/after Wait(0)",
		explanation: "A Wake is for the next Wait of any kind; one that only looks takes it too, and a later Wake counts anew.",
		run: func(r *rig) {
			r.poller.Wake()
			r.wait(0)
			r.poller.Wake()
			r.wait(-1) // would hang
		},
	},
	{
		name:        "wake/during Wait",
		explanation: "A Wake from another goroutine ends the Wait in progress.",
		run: func(r *rig) {
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
	{
		name:        "wake/from many goroutines",
		explanation: "No Wake is lost: whoever posts something and then wakes the loop may rely on it being seen, whatever seven others do at that moment.",
		run:         wakeFromMany,
	},
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
// only when its post was seen. A lost Wake is a hang.
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
