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

// mortalVar is the environment variable with the name of the test that a signal is to end.
// That test runs in a child process.
const mortalVar = "BATON_TEST_MORTAL"

// diesBySignal runs the calling test in a child process, which must end by the signal. In the
// child, diesBySignal returns true.
func diesBySignal(t *testing.T, by syscall.Signal) (child bool) {
	t.Helper()
	if os.Getenv(mortalVar) == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Env = append(os.Environ(), mortalVar+"="+t.Name())
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != by {
		t.Errorf("the process ended with %v, want the signal %v:\n%s", err, by, out)
	}
	return false
}

// When the last handler of a signal is removed, the signal ends the process again.
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
			if !diesBySignal(t, syscall.SIGTERM) {
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
			select {} // the signal ends the process; otherwise guard does
		})
	}
}

// Two loops can handle the same signal. If one loop removes its handler, the handler of the
// other stays.
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

// If a handler panics, the report names the handler, and the handler stays.
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
