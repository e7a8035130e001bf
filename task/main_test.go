// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

// TestMain also runs the programs of TestHowProgramsEnd. Their watchdog is on, but prints
// nothing.
func TestMain(m *testing.M) {
	if program, ok := programs[os.Getenv(programVar)]; ok {
		task.Runner{Config: loop.Config{SlowStep: time.Hour}}.Main(program)
	}
	goleak.VerifyTestMain(m)
}

// handoffs are the kinds of hand-over. Tests of hand-overs use both; the others use the one
// that BATON_HANDOFF selects.
var handoffs = []task.Handoff{task.Channel, task.Coroutine}

// eachHandoff runs a test under both hand-overs.
func eachHandoff(t *testing.T, fn func(t *testing.T, r task.Runner)) {
	for _, h := range handoffs {
		t.Run(h.String(), func(t *testing.T) { fn(t, task.Runner{Handoff: h}) })
	}
}

// newVirtual makes a loop with a virtual clock.
func newVirtual(t testing.TB) *loop.Loop {
	t.Helper()
	return newLoop(t, loop.Config{Poller: virtual.New(virtual.Config{})})
}

// newLoop makes a loop that is closed at the end of the test. Exceptions that the test does
// not handle fail the test.
func newLoop(t testing.TB, cfg loop.Config) *loop.Loop {
	t.Helper()
	l, err := loop.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Errorf("unexpected exception: %v", e) })
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// inVirtual runs fn as the root task of a loop with a virtual clock.
func inVirtual(t testing.TB, fn func(ctx context.Context) error) error {
	t.Helper()
	return task.Runner{Loop: newVirtual(t)}.Run(context.Background(), fn)
}

// mustRun runs fn like inVirtual and fails the test if it returns an error.
func mustRun(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	if err := inVirtual(t, fn); err != nil {
		t.Fatal(err)
	}
}

// anyKey is the key of a value that no test reads by name.
type anyKey struct{}

// sleep parks for d on the loop's clock.
func sleep(ctx context.Context, d time.Duration) error {
	return task.ParkUntil(ctx, task.Now(ctx).Add(d))
}

// forever parks until the task is cancelled, and returns the *Canceled.
func forever(ctx context.Context) error {
	var q task.WaitQueue
	return q.Wait(ctx, task.Text("for ever"))
}

// turns yields n times.
func turns(ctx context.Context, n int) error {
	for range n {
		if err := task.Yield(ctx); err != nil {
			return err
		}
	}
	return nil
}

// panicOf returns what fn panics with, or nil.
func panicOf(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}
