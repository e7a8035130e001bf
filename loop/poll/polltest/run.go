// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"baton/loop/poll"
)

// A testCase is one promise of package poll.
type testCase struct {
	name string

	// explanation is printed if the case fails: what is promised, and who
	// relies on it.
	explanation string

	needs poll.Caps // the case runs only if the poller declares all of these
	lacks poll.Caps // and none of these
	run   func(r *rig)
}

// cases are all of them, from the simple to the nasty.
var cases = slices.Concat(timeCases, wakeCases, submitCases, addressCases, streamCases, writeCases,
	cancelCases, closeCases, closedCases, lookupCases, readinessCases, optionalCases, importCases, pipeCases, datagramCases, sendFileCases,
	signalCases, loadCases)

// Run tests the pollers that open makes, one for each case, each of them closed
// by the suite. Some cases open a second one.
func Run(t *testing.T, open func(t testing.TB) poll.Poller) {
	suite{open, func(t *testing.T, f func(t *testing.T)) { f(t) }}.run(t)
}

// RunInBubbles is Run for pollers that take their time from a testing/synctest
// bubble. Each case has a bubble of its own, and open is called inside it.
func RunInBubbles(t *testing.T, open func(t testing.TB) poll.Poller) {
	suite{open, synctest.Test}.run(t)
}

// A suite is how the cases are run.
type suite struct {
	open   func(t testing.TB) poll.Poller
	around func(t *testing.T, f func(t *testing.T)) // calls f in its surroundings
}

func (s suite) run(t *testing.T) {
	var caps poll.Caps
	s.around(t, func(t *testing.T) {
		defer pin()()
		probe := s.open(t)
		caps = probe.Caps()
		if err := probe.Close(); err != nil {
			t.Errorf("Close of an unused poller: %v", err)
		}
	})
	t.Logf("the poller declares %v", caps)
	for _, c := range cases {
		if caps.Has(c.needs) && caps&c.lacks == 0 {
			t.Run(c.name, func(t *testing.T) { s.test(t, c) })
		}
	}
}

// hangLimit is when a case that does not end is ended, with everybody's stack.
const hangLimit = time.Minute

// test runs one case. What limits it runs on the machine's clock, outside of any
// bubble: in there a minute may pass at once, and a hang passes no time at all.
func (s suite) test(t *testing.T, c testCase) {
	hang := time.AfterFunc(hangLimit, func() { panic("polltest: " + t.Name() + " hangs: " + c.explanation) })
	defer hang.Stop()
	s.around(t, func(t *testing.T) {
		defer pin()()
		defer func() {
			if t.Failed() {
				t.Log(c.explanation)
			}
		}()
		r := newRig(t, s.open)
		defer r.close()
		c.run(r)
	})
}

// pin keeps the caller on its thread until the function it returns is called:
// some pollers ask for it ([poll.Pinned]), the others do not mind.
func pin() func() {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
