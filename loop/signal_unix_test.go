// SPDX-License-Identifier: Apache-2.0

//go:build unix

package loop_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"baton/loop"
)

// mortal names the tests whose process a signal is to end; they run as a child.
const mortal = "BATON_TEST_MORTAL"

// dies runs the calling test in a process of its own, which must end by the
// signal. It returns true in that process.
func dies(t *testing.T, by syscall.Signal) (child bool) {
	t.Helper()
	if os.Getenv(mortal) == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Env = append(os.Environ(), mortal+"="+t.Name())
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != by {
		t.Errorf("the process ended with %v, want the signal %v:\n%s", err, by, out)
	}
	return false
}

// With its last handler a signal gets its default back: it ends the process.
func TestSignalDefaultIsRestored(t *testing.T) {
	guard(t)
	for _, c := range []struct {
		name   string
		remove func(l *loop.Loop)
	}{
		{"RemoveSignalHandler", func(l *loop.Loop) { l.RemoveSignalHandler(syscall.SIGTERM) }},
		{"Close", func(l *loop.Loop) { l.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !dies(t, syscall.SIGTERM) {
				return
			}
			l, err := loop.New(loop.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.AddSignalHandler(syscall.SIGTERM, l.Stop); err != nil {
				t.Fatal(err)
			}
			syscall.Kill(syscall.Getpid(), syscall.SIGTERM) // caught
			l.RunForever()
			c.remove(l)
			syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
			select {} // it takes effect at once, or never: then the guard ends this
		})
	}
}

// Two loops that handle one signal both hear it, and one that stops does not
// take it from the other.
func TestSignalOfTwoLoops(t *testing.T) {
	guard(t)
	a, b := open(t, loop.Config{}), open(t, loop.Config{})
	for _, l := range []*loop.Loop{a, b} {
		if err := l.AddSignalHandler(syscall.SIGUSR2, l.Stop); err != nil {
			t.Fatal(err)
		}
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR2)
	a.RunForever()
	b.RunForever()
	a.RemoveSignalHandler(syscall.SIGUSR2)
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR2)
	b.RunForever()
}

func TestSignalErrors(t *testing.T) {
	l := simulated(t)
	for _, sig := range []os.Signal{syscall.SIGKILL, syscall.SIGSTOP, os.Kill, syscall.Signal(0), madeUp{}} {
		if err := l.AddSignalHandler(sig, func() {}); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("AddSignalHandler(%v): %v, want os.ErrInvalid", sig, err)
		}
	}
	if !l.Idle() {
		t.Error("not idle after handlers were refused")
	}
}

type madeUp struct{}

func (madeUp) String() string { return "made up" }
func (madeUp) Signal()        {}

// A panic in a handler is reported with the handler's own name, and the handler
// stays.
func TestSignalHandlerPanics(t *testing.T) {
	guard(t)
	l := open(t, loop.Config{})
	n := 0
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
		if !strings.Contains(e.Message, "loop_test.explode") {
			t.Errorf("the message %q does not name the handler", e.Message)
		}
		if n++; n == 2 {
			l.Stop()
			return
		}
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	})
	if err := l.AddSignalHandler(syscall.SIGUSR1, explode); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	l.RunForever()
}
