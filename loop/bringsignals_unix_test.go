// SPDX-License-Identifier: Apache-2.0

//go:build unix

package loop_test

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"baton/loop"
)

// A signal that is delivered by Signal has one receiver: the handler, or otherwise the
// caller.
func TestBringSignals(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{})
	ran := 0
	handle := func() { ran++; l.Stop() }
	signal := func(when string, handled bool) {
		t.Helper()
		if got := l.Driver().Signal(syscall.SIGUSR1); got != handled {
			t.Errorf("%s: Signal = %v, want %v", when, got, handled)
		}
	}
	l.Driver().BringSignals(syscall.SIGUSR1)
	signal("no handler", false)
	if err := l.AddSignalHandler(syscall.SIGUSR1, handle); err != nil {
		t.Fatal(err)
	}
	signal("a handler", true)
	l.RunForever()
	if ran != 1 {
		t.Errorf("the handler ran %d times, want once", ran)
	}
	signal("removed before it runs", true)
	if !l.RemoveSignalHandler(syscall.SIGUSR1) {
		t.Error("RemoveSignalHandler returned false")
	}
	signal("removed", false)
	l.RunOnce(0)
	if ran != 1 {
		t.Errorf("the handler ran %d times, want once", ran)
	}
}

// A handler that was added before BringSignals receives its signals from the system, each
// once.
func TestBringSignalsKeepsHandlers(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{})
	ran := 0
	if err := l.AddSignalHandler(syscall.SIGUSR1, func() { ran++; l.Stop() }); err != nil {
		t.Fatal(err)
	}
	l.Driver().BringSignals(syscall.SIGUSR1)
	if !l.Driver().Signal(syscall.SIGUSR1) {
		t.Error("the loop has no handler")
	}
	l.RunOnce(0)
	if ran != 0 {
		t.Error("Signal ran a handler that receives its signals from the system")
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	l.RunForever()
	if ran != 1 {
		t.Errorf("the handler ran %d times, want once", ran)
	}
}

// All receivers and the handler get each signal. Receivers do not keep the loop from being
// idle.
func TestReceiveSignal(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{})
	var got []string
	receiver := func(name string) (stop func()) {
		stop, err := l.Driver().ReceiveSignal(syscall.SIGUSR1, func() { got = append(got, name); l.Stop() })
		if err != nil {
			t.Fatal(err)
		}
		return stop
	}
	raise := func(want ...string) {
		t.Helper()
		got = nil
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		l.RunForever()
		l.RunOnce(0) // the handler is called in the next turn
		if !slices.Equal(got, want) {
			t.Errorf("%q got the signal, want %q", got, want)
		}
	}
	a, b := receiver("a"), receiver("b")
	if !l.Idle() {
		t.Error("receivers keep the loop from being idle")
	}
	raise("a", "b")
	if err := l.AddSignalHandler(syscall.SIGUSR1, func() { got = append(got, "handler") }); err != nil {
		t.Fatal(err)
	}
	a()
	a()
	raise("b", "handler")
	if !l.RemoveSignalHandler(syscall.SIGUSR1) || l.RemoveSignalHandler(syscall.SIGUSR1) {
		t.Error("RemoveSignalHandler did not return true first and false second")
	}
	raise("b")
	b()
	if l.Driver().Signal(syscall.SIGUSR1) {
		t.Error("Signal returned true without a handler")
	}
	if _, err := l.Driver().ReceiveSignal(syscall.SIGKILL, func() {}); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("SIGKILL: %v, want os.ErrInvalid", err)
	}
	c := receiver("c")
	l.Close()
	c()
}
