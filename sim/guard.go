// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// heldTooLong is how long the steps of a turn may hold the baton, together: as long as
// the watchdog of a loop in the real world gives a single one, see
// loop.Config.SlowStep.
const heldTooLong = 250 * time.Millisecond

// overtime is how often the guard looks at a test whose time is over before it ends the
// test: the turn that it looks at is then one of what keeps the test going.
const overtime = 16

// A guard looks at a test whenever its loop is about to wait, and at each turn.
//
// It finds steps that block, which a simulated world would hide, where nobody is
// kept waiting by them. In a bubble time passes only while everybody waits, and a
// loop waits in its poller. So time that has passed elsewhere has passed in a step
// or a callback that has waited for something with the baton in its hands.
//
// It also ends a test whose time is over. Timers that start again and again keep a
// simulated clock running, as fast as the machine can.
type guard struct {
	t     *testing.T
	order *shuffle // nil is FIFO
	alarm *alarm
	late  func(ran string) bool // ends the test, or returns false if it cannot yet; nil when it has
	looks int                   // since the time of the test was over
	turn  []fmt.Stringer        // what ran in the last one
	seen  time.Time             // up to then time has passed in waits only
}

// Arrange looks at the turn before this one, and has the order arrange this one.
func (g *guard) Arrange(batch []loop.Entry) (held int) {
	g.look()
	if g.order != nil {
		held = g.order.Arrange(batch)
	}
	clear(g.turn) // what has ended is not kept alive
	g.turn = g.turn[:0]
	for _, e := range batch {
		if who := e.Who(); who != nil {
			g.turn = append(g.turn, who)
		}
	}
	return held
}

// look is called with the baton, before a wait or a turn, and never within a step.
func (g *guard) look() {
	now := time.Now()
	if passed := now.Sub(g.seen); passed >= heldTooLong {
		g.t.Errorf("sim: %s held the baton for %v, in which nothing else of the loop could run; "+
			"wait by calls that take a ctx, and move what blocks into await.Blocking", g.ran(), passed)
	}
	g.seen = now
	if g.late != nil && g.alarm.over.Load() {
		if g.looks++; g.looks > overtime && g.late(g.ran()) {
			g.late = nil
		}
	}
}

// ran names the tasks and callbacks that ran in the last turn. How long each of them
// ran is not known.
func (g *guard) ran() string {
	var names []string
	for _, who := range g.turn {
		names = append(names, who.String())
	}
	switch len(names) {
	case 0:
		return "a step or callback"
	case 1:
		return names[0]
	}
	return "some of " + strings.Join(names, ", ")
}

// A world is the poller of a test.
type world struct {
	*virtual.Poller
	guard *guard
}

// Wait looks at the test before it waits.
func (w *world) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	w.guard.look()
	done = w.Poller.Wait(done, d)
	w.guard.seen = time.Now()
	return done
}
