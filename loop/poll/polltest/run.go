// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"baton/loop/poll"
)

// A testCase is one promise of package poll.
type testCase struct {
	name string

	// explanation is printed if the case fails: what is promised, and who
	// relies on it.
	explanation string

	needs poll.Caps // the case runs only if the poller declares these
	run   func(r *rig)
}

// cases are all of them, from the simple to the nasty.
var cases = slices.Concat(timeCases, wakeCases, streamCases, writeCases, cancelCases,
	closeCases, lookupCases, readinessCases, optionalCases, loadCases)

// Run tests the pollers that open makes, one for each case, each of them closed
// by the suite. Some cases open a second one.
func Run(t *testing.T, open func(t testing.TB) poll.Poller) {
	unpin := pin()
	probe := open(t)
	caps := probe.Caps()
	if err := probe.Close(); err != nil {
		t.Errorf("Close of an unused poller: %v", err)
	}
	unpin()
	t.Logf("the poller declares %v", caps)
	for _, c := range cases {
		if caps.Has(c.needs) {
			t.Run(c.name, func(t *testing.T) { c.test(t, open) })
		}
	}
}

// hangLimit is when a case that does not end is ended, with everybody's stack.
const hangLimit = time.Minute

func (c testCase) test(t *testing.T, open func(t testing.TB) poll.Poller) {
	defer pin()()
	defer func() {
		if t.Failed() {
			t.Log(c.explanation)
		}
	}()
	hang := time.AfterFunc(hangLimit, func() { panic("polltest: " + t.Name() + " hangs: " + c.explanation) })
	defer hang.Stop()
	r := newRig(t, open)
	defer r.close()
	c.run(r)
}

// pin keeps the caller on its thread until the function it returns is called:
// some pollers ask for it ([poll.Pinned]), the others do not mind.
func pin() func() {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
