// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"log"
	"math/rand/v2"
	"os"
	"time"

	"baton/loop/poll"
)

// Config configures a loop. The zero value is the default: the best poller of this system,
// FIFO order, and a goroutine for each blocking function.
type Config struct {
	// Poller connects the loop to the operating system or to a simulated world. The loop
	// closes it. If Poller is nil, the environment variable BATON_POLLER chooses one: epoll
	// or portable. Without the variable, the loop uses the best poller of this system.
	Poller poll.Poller

	// Order decides in which order the entries of a turn run. If nil, the order is FIFO.
	Order Order

	// Executor runs blocking functions. If nil, each function runs on its own goroutine,
	// and at most MaxJobs (default 256) run at a time.
	Executor Executor
	MaxJobs  int

	// Rand is the source of random numbers for everything on this loop. If nil, the source
	// has a random seed.
	Rand *rand.Rand

	// SlowStep is how long a step or callback may hold the baton before the watchdog
	// reports it to OnSlow. The default is 250 ms. A negative value turns the watchdog off.
	// A loop with a virtual clock has no watchdog.
	//
	// The watchdog finds the goroutines of a loop by the pprof label "baton.loop". The Run
	// methods of Loop set the label. When they return, they leave the calling goroutine
	// without labels. task.Run instead restores the labels of its ctx, like pprof.Do.
	SlowStep time.Duration

	// OnSlow receives the reports of the watchdog, on the watchdog's goroutine. If nil,
	// reports are logged.
	OnSlow func(SlowStep)

	// Debug turns on debug mode, like SetDebug. A non-empty BATON_DEBUG does the same.
	Debug bool

	// Drain limits how long Close waits for jobs. The default is five seconds. If negative,
	// Close does not wait. It does not wait for abandoned jobs alone: see [Job.Abandon].
	Drain time.Duration
}

// withDefaults sets the fields that were left zero, and reads the environment. It fails
// only if it cannot make the poller.
func (c Config) withDefaults() (Config, error) {
	if c.Poller == nil {
		p, err := defaultPoller(os.Getenv("BATON_POLLER"))
		if err != nil {
			return c, err
		}
		c.Poller = p
	}
	if c.MaxJobs <= 0 {
		c.MaxJobs = 256
	}
	if c.Executor == nil {
		c.Executor = newGoroutines(c.MaxJobs)
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if c.SlowStep == 0 {
		c.SlowStep = 250 * time.Millisecond
	}
	if c.OnSlow == nil {
		c.OnSlow = func(s SlowStep) { log.Print(s) }
	}
	if c.Drain == 0 {
		c.Drain = 5 * time.Second
	}
	if os.Getenv("BATON_DEBUG") != "" {
		c.Debug = true
	}
	return c, nil
}
