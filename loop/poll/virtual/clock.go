// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"sync"
	"time"
)

// A clock tells the time and lets it pass. now and wake are safe from every
// goroutine, the rest belongs to the loop. Waking is part of it because it is
// what a wait for time competes with: only the clock knows how to do both.
type clock interface {
	// now never goes backwards.
	now() time.Time
	// wake is kept until woken or wait takes it, even if nobody waits. Many
	// are one.
	wake()
	// woken takes a pending wake-up, if there is one.
	woken() bool
	// wait returns at until, or earlier with true if it was woken; the zero
	// time never comes. A pending wake-up goes first, and no time passes.
	wait(until time.Time) bool
	// stop frees what the clock holds; now and wake still work.
	stop()
}

// A bell is the wake-up of a Wait: rung any number of times, heard once. Its
// one place is what makes many wake-ups one, and a channel can be waited for
// together with a timer, durably if it was made in a bubble.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) wake() {
	select {
	case b <- struct{}{}:
	default: // It rings already.
	}
}

func (b bell) woken() bool {
	select {
	case <-b:
		return true
	default:
		return false
	}
}

// An ownClock stands still until somebody waits for it, and then jumps: whatever
// other goroutines do meanwhile takes no time. That is the difference between
// poll.Jumps and a bubble, which asks them first.
type ownClock struct {
	bell
	mu   sync.Mutex
	time time.Time // guarded by mu: Now comes from every goroutine
}

// newOwnClock makes a clock that stands at start, or where a bubble's would.
func newOwnClock(start time.Time) *ownClock {
	if start.IsZero() {
		start = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	// A monotonic reading would stand beside the wall time and be compared
	// instead of it.
	return &ownClock{bell: newBell(), time: start.Round(0)}
}

func (c *ownClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

// wait jumps, or blocks for good if there is nowhere to jump to: then only a
// wake-up from outside can go on with this world. It never moves back, for until
// may have been computed before another wait.
func (c *ownClock) wait(until time.Time) bool {
	if until.IsZero() {
		<-c.bell
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

// stop has nothing to free.
func (c *ownClock) stop() {}

// A bubbleClock is the clock of the surrounding testing/synctest bubble. Its
// channel and its timer are made inside the bubble, which is what makes a wait
// for them durable.
type bubbleClock struct {
	bell
	timer *time.Timer
}

// newBubbleClock is called inside the bubble. The timer is made once, and only
// reset by a wait, so that waiting allocates nothing.
func newBubbleClock() *bubbleClock {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &bubbleClock{bell: newBell(), timer: timer}
}

// now is the bubble's time: package time knows in which one it was called.
func (c *bubbleClock) now() time.Time { return time.Now() }

// wait blocks on channels of the bubble alone, so it counts as durably blocked,
// and the bubble's clock jumps when everybody else in it waits too.
func (c *bubbleClock) wait(until time.Time) bool {
	if until.IsZero() {
		<-c.bell
		return true
	}
	c.timer.Reset(time.Until(until))
	defer c.timer.Stop()
	select {
	case <-c.bell:
		return true
	case <-c.timer.C:
		return false
	}
}

// stop ends the timer, although between two waits it is stopped anyway.
func (c *bubbleClock) stop() { c.timer.Stop() }
