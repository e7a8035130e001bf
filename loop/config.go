// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"log"
	"math/rand/v2"
	"os"
	"time"

	"baton/loop/poll"
)

// Config says what a loop is made of. The zero value is the default: the best
// poller of this system, FIFO order, goroutines as executor.
type Config struct {
	// Poller is the loop's world. The loop closes it. If nil, BATON_POLLER
	// chooses (epoll or portable), and otherwise the system does.
	Poller poll.Poller

	// Order decides in which order the entries of a turn run. Nil is FIFO.
	Order Order

	// Executor runs blocking functions. Nil is a goroutine for each, at most
	// MaxJobs (default 256) at a time.
	Executor Executor
	MaxJobs  int

	// Rand is where everything on this loop that wants to be random draws
	// from. Nil is seeded by the system.
	Rand *rand.Rand

	// SlowStep is how long a step or callback may hold the baton before the
	// watchdog reports it to OnSlow. Default 250 ms; negative switches the
	// watchdog off. A loop on a virtual clock has none.
	//
	// The watchdog finds a loop's goroutines by the pprof label "baton.loop". The
	// Run methods of Loop set it, and leave the calling goroutine without labels
	// when they return. task.Run leaves it with those of its ctx, as pprof.Do does.
	SlowStep time.Duration

	// OnSlow is told about slow steps, on a goroutine of its own. Nil logs.
	OnSlow func(SlowStep)

	// Debug is SetDebug from the start; so is a non-empty BATON_DEBUG.
	Debug bool

	// Drain bounds how long Close waits for jobs of the executor that were not
	// abandoned. Default 5 s; negative does not wait.
	Drain time.Duration
}

// withDefaults fills what was left open. It makes the poller, and only that can
// fail; the environment is read here, once for each loop.
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
