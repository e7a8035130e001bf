// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"strings"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll/virtual"
)

// open makes a loop that is closed with the test. A callback that panics fails
// the test, unless it sets a handler of its own.
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

// simulated makes a loop whose clock jumps.
func simulated(t testing.TB) *loop.Loop {
	t.Helper()
	return open(t, loop.Config{Poller: virtual.New(virtual.Config{})})
}

// guard ends the process if a test hangs; the stacks tell where.
func guard(t *testing.T) {
	t.Helper()
	hang := time.AfterFunc(time.Minute, func() { panic(t.Name() + " hangs") })
	t.Cleanup(func() { hang.Stop() })
}

// notes is what ran, in order.
type notes []string

func (n *notes) add(s string) func() { return func() { *n = append(*n, s) } }

// want checks the notes left so far, and forgets them.
func (n *notes) want(t *testing.T, when, want string) {
	t.Helper()
	if got := strings.Join(*n, " "); got != want {
		t.Errorf("%s: ran %q, want %q", when, got, want)
	}
	*n = nil
}

// A step stands for a task's step: the loop cannot tell.
type step struct{ fn func() }

func (s *step) Run() { s.fn() }

// stepOf makes an entry of a step.
func stepOf(fn func()) loop.Entry { return loop.Entry{Runner: &step{fn}, Step: true} }

// A waker is woken by the loop.
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
