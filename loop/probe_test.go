// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"testing"

	"baton/loop"
)

// Probe returns true if no other step has begun since the last Probe, and the loop has not
// polled.
func TestProbe(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{SlowStep: -1}) // no watchdog, because its rest clears marks, too
	probe := func(when string, want bool) {
		if held := l.Driver().Probe(); held != want {
			t.Errorf("%s: Probe = %v, want %v", when, held, want)
		}
	}
	probe("before the run", false)
	probe("a loop that does not run", false)
	l.CallSoon(func() {
		probe("the first step", false)
		probe("the same step", true)
		probe("still the same step", true)
	})
	l.CallSoon(func() { probe("the next step", false) })
	l.Run()

	// Between the two calls of Probe, no step begins, but the loop polls.
	polled := make(chan struct{})
	l.RunInExecutor(func() {
		l.Driver().Probe()
		l.Driver().Post(waker(func() { close(polled) })) // runs after what Probe has posted
		<-polled
		probe("a loop that waits", false)
	}, l.Stop)
	l.RunForever()
}
