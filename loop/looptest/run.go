// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A testCase is one promise of a loop.
type testCase struct {
	name string

	// explanation is printed if the case fails: what is promised, and who
	// relies on it.
	explanation string

	run func(r *rig)
}

var cases = slices.Concat(orderCases, timerCases, repeatCases, stopCases, onceCases, closeCases,
	misuseCases, failureCases, threadCases, watchCases, signalCases)

// Run tests the loops that open makes, one for each case, each of them closed by
// the suite. What a callback panics with must come to report, as the error
// itself if it is one.
func Run[H Handle](t *testing.T, open func(t testing.TB, report func(error)) Loop[H]) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{t: t}
			r.loop = erased[H]{open(t, func(err error) { r.reported = append(r.reported, err) })}
			c.test(r)
		})
	}
}

// hangLimit is when a case that does not end is ended, with everybody's stack.
const hangLimit = time.Minute

func (c testCase) test(r *rig) {
	runtime.LockOSThread() // some pollers ask for it
	defer runtime.UnlockOSThread()
	defer func() {
		if r.t.Failed() {
			r.t.Log(c.explanation)
		}
	}()
	hang := time.AfterFunc(hangLimit, func() { panic("looptest: " + r.t.Name() + " hangs: " + c.explanation) })
	defer hang.Stop()
	defer r.close()
	c.run(r)
}

// A rig is a loop under test, and what its callbacks have noted.
type rig struct {
	t        testing.TB
	loop     target
	notes    []string
	reported []error
}

// close ends a case: whatever is still scheduled, Close drops it.
func (r *rig) close() {
	if err := r.loop.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	for _, err := range r.reported {
		r.t.Errorf("a callback panicked: %v", err)
	}
}

// note makes a callback that leaves a note.
func (r *rig) note(s string) func() { return func() { r.notes = append(r.notes, s) } }

// want checks the notes left so far, and forgets them.
func (r *rig) want(when, notes string) {
	r.t.Helper()
	if got := strings.Join(r.notes, " "); got != notes {
		r.t.Errorf("%s: ran %q, want %q", when, got, notes)
	}
	r.notes = nil
}

// turn runs one turn that does not wait.
func (r *rig) turn() { r.loop.RunOnce(0) }

// until runs turns until ok reports true.
func (r *rig) until(ok func() bool) {
	for !ok() {
		r.loop.RunOnce(-1)
	}
}

// quit runs the loop until it is idle, and checks that nobody stopped it.
func (r *rig) quit() {
	r.t.Helper()
	if r.loop.Run() {
		r.t.Error("Run reports that it was stopped; nobody called Stop")
	}
}

// ok checks the error of a call.
func (r *rig) ok(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// panics checks that fn panics, without letting the panic go further.
func (r *rig) panics(what string, fn func()) {
	r.t.Helper()
	defer func() {
		r.t.Helper()
		if recover() == nil {
			r.t.Errorf("%s did not panic", what)
		}
	}()
	fn()
}
