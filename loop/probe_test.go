// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"testing"

	"baton/loop"
)

// A step is held if no other one has begun, and the loop has not polled, between
// two probes.
func TestProbe(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{SlowStep: -1}) // no watchdog, whose rests wipe off marks as well
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

	// No step begins between these two, but the loop polls.
	polled := make(chan struct{})
	l.RunInExecutor(func() {
		l.Driver().Probe()
		l.Driver().Post(waker(func() { close(polled) })) // behind what Probe has posted
		<-polled
		probe("a loop that waits", false)
	}, l.Stop)
	l.RunForever()
}
