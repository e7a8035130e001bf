// SPDX-License-Identifier: Apache-2.0

package loop_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

func TestPollerByEnvironment(t *testing.T) {
	t.Setenv("BATON_POLLER", "portable")
	if caps := open(t, loop.Config{}).Poller().Caps(); caps.Has(poll.Adopts) {
		t.Errorf("BATON_POLLER=portable made a poller that declares %v", caps)
	}
	t.Setenv("BATON_POLLER", "steam")
	if l, err := loop.New(loop.Config{}); err == nil {
		l.Close()
		t.Error("BATON_POLLER=steam: New returned no error")
	}
	world := virtual.New(virtual.Config{})
	if l := open(t, loop.Config{Poller: world}); l.Poller() != world {
		t.Error("the loop does not use Config.Poller")
	}
}

func TestDebugByEnvironment(t *testing.T) {
	for _, c := range []struct {
		env          string
		config, want bool
	}{
		{"", false, false},
		{"", true, true},
		{"1", false, true},
	} {
		t.Setenv("BATON_DEBUG", c.env)
		l := open(t, loop.Config{Poller: virtual.New(virtual.Config{}), Debug: c.config})
		if l.Debug() != c.want {
			t.Errorf("BATON_DEBUG=%q, Config.Debug %v: Debug is %v", c.env, c.config, l.Debug())
		}
	}
}

func TestRand(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	if open(t, loop.Config{Rand: source}).Rand() != source {
		t.Error("the loop does not use Config.Rand")
	}
	a, b := open(t, loop.Config{}).Rand(), open(t, loop.Config{}).Rand()
	if a == nil || b == nil || a.Uint64() == b.Uint64() {
		t.Error("two loops have the same random numbers by default")
	}
}

// Close closes the poller and the executor of Config.
func TestCloseClosesWorld(t *testing.T) {
	failed := errors.New("closed on purpose")
	poller := &closing{Poller: virtual.New(virtual.Config{}), err: failed}
	executor := &inline{}
	l, err := loop.New(loop.Config{Poller: poller, Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); !errors.Is(err, failed) {
		t.Errorf("Close: %v, want the poller's error", err)
	}
	if l.Close() != nil || poller.closed != 1 || executor.closed != 1 {
		t.Errorf("two Closes closed the poller %d times, the executor %d times", poller.closed, executor.closed)
	}
}

type closing struct {
	poll.Poller
	err    error
	closed int
}

func (c *closing) Close() error {
	c.closed++
	return errors.Join(c.Poller.Close(), c.err)
}

// An inline executor runs functions in Submit, which is as early as possible.
type inline struct {
	closed int
	drain  time.Duration // the argument of Close
	left   int           // the result of Close
}

func (e *inline) Submit(fn func()) func() bool {
	fn()
	return func() bool { return false }
}

func (e *inline) Close(d time.Duration) int {
	e.closed++
	e.drain = d
	return e.left
}

func TestConfigExecutor(t *testing.T) {
	l := open(t, loop.Config{Poller: virtual.New(virtual.Config{}), Executor: &inline{}})
	var ran notes
	l.RunInExecutor(ran.add("fn"), ran.add("then"))
	ran.want(t, "in Submit", "fn")
	l.Run()
	ran.want(t, "in the run", "then")

	// The exception handler runs in a turn, like a callback, and not between steps.
	l.SetExceptionHandler(func(*loop.Loop, loop.Exception) { ran.add("handler")() })
	l.CallSoon(ran.add("soon"))
	l.RunInExecutor(explode, ran.add("then"))
	l.RunOnce(0)
	ran.want(t, "in one turn", "soon handler then")
}

// By default, 256 functions run at a time.
func TestMaxJobsDefault(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{})
	begun, release := make(chan struct{}), make(chan struct{})
	for range 256 {
		l.RunInExecutor(func() { begun <- struct{}{}; <-release }, nil)
	}
	extra := l.RunInExecutor(func() {}, nil)
	for range 256 {
		<-begun
	}
	if !extra.Cancel() {
		t.Error("function 257 did not wait")
	}
	close(release)
	l.Run()
}
