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

// maxHeld is how long the steps of one turn may hold the baton, together. The watchdog of a
// loop in the real world allows a single step as much: see loop.Config.SlowStep.
const maxHeld = 250 * time.Millisecond

// extraInspections is how many inspections the inspector waits after the time of a test is
// over. After that many, the last turn ran something that keeps the test from ending.
const extraInspections = 16

// An inspector checks a test before each turn, and before each wait of its loop.
//
// It finds steps that block. In a bubble time passes only while everything waits, and a
// loop waits in its poller. So time that passed elsewhere has passed in a step or callback
// that blocked while it held the baton. A simulated world would otherwise hide this.
//
// It also ends a test whose time is over. Timers that start again and again keep a
// simulated clock running forever.
type inspector struct {
	t     *testing.T
	order *shuffle // nil means FIFO
	limit *timeLimit

	// end ends the test, or returns false if it cannot do so yet. It is nil when the test was ended.
	end func(ran string) bool

	inspections int            // since the time of the test was over
	turn        []fmt.Stringer // what ran in the last turn
	seen        time.Time      // up to then, time has passed only in waits
}

// Arrange inspects the test after the last turn, and then lets the order arrange this turn.
func (n *inspector) Arrange(batch []loop.Entry) (held int) {
	n.inspect()
	if n.order != nil {
		held = n.order.Arrange(batch)
	}
	clear(n.turn) // keeps nothing alive that has ended
	n.turn = n.turn[:0]
	for _, e := range batch {
		if who := e.Who(); who != nil {
			n.turn = append(n.turn, who)
		}
	}
	return held
}

// inspect checks the test. It is called with the baton, before a turn or a wait, and never
// in a step.
func (n *inspector) inspect() {
	now := time.Now()
	if passed := now.Sub(n.seen); passed >= maxHeld {
		n.t.Errorf("sim: %s held the baton for %v, so that nothing else of the loop could run; "+
			"wait with calls that take a ctx, and move blocking work into await.Blocking", n.lastTurn(), passed)
	}
	n.seen = now
	if n.end != nil && n.limit.over.Load() {
		if n.inspections++; n.inspections > extraInspections && n.end(n.lastTurn()) {
			n.end = nil
		}
	}
}

// lastTurn names the tasks and callbacks that ran in the last turn. How long each of them
// ran is not known.
func (n *inspector) lastTurn() string {
	var names []string
	for _, who := range n.turn {
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

// A world is the poller of a test: a virtual poller that calls the inspector.
type world struct {
	*virtual.Poller
	inspector *inspector
}

// Wait calls the inspector and then waits.
func (w *world) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	w.inspector.inspect()
	done = w.Poller.Wait(done, d)
	w.inspector.seen = time.Now()
	return done
}
