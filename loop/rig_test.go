// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"strings"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll/virtual"
)

// open makes a loop that is closed with the test. A panic in a callback fails the test,
// unless the test sets another exception handler.
func open(t testing.TB, cfg loop.Config) *loop.Loop {
	t.Helper()
	l, err := loop.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Error(e) })
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// simulated makes a loop with a virtual clock.
func simulated(t testing.TB) *loop.Loop {
	t.Helper()
	return open(t, loop.Config{Poller: virtual.New(virtual.Config{})})
}

// guard ends the process, with all stacks, if a test takes longer than a minute.
func guard(t *testing.T) {
	t.Helper()
	hang := time.AfterFunc(time.Minute, func() { panic(t.Name() + " hangs") })
	t.Cleanup(func() { hang.Stop() })
}

// notes are the names of the callbacks that ran, in order.
type notes []string

func (n *notes) add(s string) func() { return func() { *n = append(*n, s) } }

// want checks the notes and clears them.
func (n *notes) want(t *testing.T, when, want string) {
	t.Helper()
	if got := strings.Join(*n, " "); got != want {
		t.Errorf("%s: ran %q, want %q", when, got, want)
	}
	*n = nil
}

// A step stands for the step of a task. The loop sees no difference.
type step struct{ fn func() }

func (s *step) Run() { s.fn() }

// stepOf returns a ready-queue entry for a step.
func stepOf(fn func()) loop.Entry { return loop.Entry{Runner: &step{fn}, Step: true} }

// A waker is a Waker that calls a function.
type waker func()

func (w waker) Wake() { w() }

// panics returns what fn panics with.
func panics(t *testing.T, fn func()) (v any) {
	t.Helper()
	defer func() {
		t.Helper()
		if v = recover(); v == nil {
			t.Error("it did not panic")
		}
	}()
	fn()
	return nil
}
