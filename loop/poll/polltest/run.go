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

	// explanation is printed if the case fails. It says what is promised, and why it matters.
	explanation string

	needs poll.Caps // the case runs only if the poller declares all of these
	lacks poll.Caps // the case runs only if the poller declares none of these
	run   func(r *rig)
}

// cases are all cases, simple ones first.
var cases = slices.Concat(timeCases, wakeCases, submitCases, addressCases, streamCases, writeCases,
	cancelCases, closeCases, closedCases, lookupCases, readinessCases, optionalCases, importCases, pipeCases, datagramCases, sendFileCases,
	signalCases, loadCases)

// Run tests pollers. It calls open once for each case and closes the poller. Some cases open a
// second poller.
func Run(t *testing.T, open func(t testing.TB) poll.Poller) {
	suite{open, func(t *testing.T, f func(t *testing.T)) { f(t) }}.run(t)
}

// RunInBubbles is like Run, for pollers that use the clock of a testing/synctest bubble. Each
// case has its own bubble, and the suite calls open inside it.
func RunInBubbles(t *testing.T, open func(t testing.TB) poll.Poller) {
	suite{open, synctest.Test}.run(t)
}

// A suite is a way to run the cases.
type suite struct {
	open   func(t testing.TB) poll.Poller
	around func(t *testing.T, f func(t *testing.T)) // calls f, perhaps inside a bubble
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

// hangLimit is how long a case may take. Then the suite panics with all stacks.
const hangLimit = time.Minute

// test runs one case. The limit uses the machine's clock, outside any bubble: inside a
// bubble a minute may pass at once, and no time passes during a hang.
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

// pin locks the calling goroutine to its thread until the returned function is called. Pollers
// with [poll.Pinned] require that.
func pin() func() {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
