// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A testCase tests one promise of a loop.
type testCase struct {
	name string

	// explanation is printed if the case fails. It says what a loop promises, and why.
	explanation string

	run func(r *rig)
}

var cases = slices.Concat(orderCases, timerCases, repeatCases, stopCases, onceCases, closeCases,
	misuseCases, failureCases, threadCases, watchCases, signalCases)

// Run runs the suite. It calls open once for each case to create a loop, and closes the
// loop. When a callback panics, the loop must call report with the panic's error; if the
// panic value is no error, with any error that describes it.
func Run[H Handle](t *testing.T, open func(t testing.TB, report func(error)) Loop[H]) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{t: t}
			r.loop = untyped[H]{open(t, func(err error) { r.reported = append(r.reported, err) })}
			c.test(r)
		})
	}
}

// hangLimit is how long a case may take. After that, the process panics, and prints the
// stacks of all goroutines.
const hangLimit = time.Minute

func (c testCase) test(r *rig) {
	runtime.LockOSThread() // pollers with poll.Pinned need it
	defer runtime.UnlockOSThread()
	defer func() {
		if r.t.Failed() {
			r.t.Log(c.explanation)
		}
	}()
	hang := time.AfterFunc(hangLimit, func() { panic("looptest: " + r.t.Name() + " hangs; what it tests: " + c.explanation) })
	defer hang.Stop()
	defer r.close()
	c.run(r)
}

// A rig is a loop under test, with the notes of its callbacks and the errors that it has
// reported.
type rig struct {
	t        testing.TB
	loop     target
	notes    []string
	reported []error
}

// close closes the loop. Close drops what is still scheduled.
func (r *rig) close() {
	if err := r.loop.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	for _, err := range r.reported {
		r.t.Errorf("a callback panicked: %v", err)
	}
}

// note returns a callback that adds a note.
func (r *rig) note(s string) func() { return func() { r.notes = append(r.notes, s) } }

// want checks the notes and clears them.
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

// quit runs the loop until it is idle, and checks that it was not stopped.
func (r *rig) quit() {
	r.t.Helper()
	if r.loop.Run() {
		r.t.Error("Run returned true, but Stop was not called")
	}
}

// ok checks the error of a call.
func (r *rig) ok(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// panics checks that fn panics, and recovers the panic.
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
