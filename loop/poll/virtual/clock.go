// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"sync"
	"time"
)

// A clock returns the time, advances it, and wakes a wait. now and wake are safe for concurrent
// use; the other methods belong to the loop. Waking is part of the clock, because wait waits
// for the time and for a wake-up together.
type clock interface {
	// now returns the time, which never goes backwards.
	now() time.Time
	// wake stores a wake-up until woken or wait consumes it. Several wake-ups count as one.
	wake()
	// woken consumes a pending wake-up and reports whether there was one.
	woken() bool
	// wait returns false at until, or earlier with true if there is a wake-up. The zero time
	// sets no limit. If there is a pending wake-up, no time passes.
	wait(until time.Time) bool
	// stop frees the resources of the clock. now and wake still work.
	stop()
}

// A wakeup stores at most one wake-up. A channel can be received from together with a timer,
// and counts as a durable wait if it was made in the bubble.
type wakeup chan struct{}

func newWakeup() wakeup { return make(wakeup, 1) }

func (w wakeup) wake() {
	select {
	case w <- struct{}{}:
	default: // there is a pending wake-up
	}
}

func (w wakeup) woken() bool {
	select {
	case <-w:
		return true
	default:
		return false
	}
}

// A jumpClock advances only in wait, and then jumps. What other goroutines do meanwhile takes
// no time. This is poll.Jumps; the clock of a bubble waits for the other goroutines.
type jumpClock struct {
	wakeup
	mu   sync.Mutex
	time time.Time // guarded by mu, because every goroutine may call Now
}

// newJumpClock returns a clock with the time start. The zero start means the start of a bubble.
func newJumpClock(start time.Time) *jumpClock {
	if start.IsZero() {
		start = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	// Remove the monotonic reading: time.Time would compare it instead of the wall time.
	return &jumpClock{wakeup: newWakeup(), time: start.Round(0)}
}

func (c *jumpClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

// wait implements clock. It jumps to until. If there is no limit, it blocks until another
// goroutine calls wake. It never moves the clock back, because until may be an old value.
func (c *jumpClock) wait(until time.Time) bool {
	if until.IsZero() {
		<-c.wakeup
		return true
	}
	if c.woken() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if until.After(c.time) {
		c.time = until
	}
	return false
}

// stop implements clock.
func (c *jumpClock) stop() {}

// A bubbleClock is the clock of the surrounding testing/synctest bubble. Its channel and its
// timer are made inside the bubble, so a wait for them is durable.
type bubbleClock struct {
	wakeup
	timer *time.Timer
}

// newBubbleClock must be called inside the bubble. A wait only resets the timer, so that it
// allocates nothing.
func newBubbleClock() *bubbleClock {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &bubbleClock{wakeup: newWakeup(), timer: timer}
}

// now implements clock. Inside the bubble time.Now is the time of the bubble.
func (c *bubbleClock) now() time.Time { return time.Now() }

// wait implements clock. It waits only for channels of the bubble, so it is durably blocked.
// The clock of the bubble jumps when all goroutines of the bubble are.
func (c *bubbleClock) wait(until time.Time) bool {
	if until.IsZero() {
		<-c.wakeup
		return true
	}
	c.timer.Reset(time.Until(until))
	defer c.timer.Stop()
	select {
	case <-c.wakeup:
		return true
	case <-c.timer.C:
		return false
	}
}

// stop implements clock.
func (c *bubbleClock) stop() { c.timer.Stop() }
