// SPDX-License-Identifier: Apache-2.0

//go:build unix

package await_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// onPollers runs fn as the root task of a real loop, once with each poller. The time limit
// only ends a test that hangs.
func onPollers(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	for _, poller := range []string{"", "portable"} { // the system's default and the portable one
		t.Run("poller "+poller, func(t *testing.T) {
			if poller != "" {
				t.Setenv("BATON_POLLER", poller)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			check(t, "Run", task.Run(ctx, func(ctx context.Context) error {
				fn(ctx, t)
				return nil
			}))
		})
	}
}

// raise sends the process a signal.
func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	check(t, "Kill", syscall.Kill(syscall.Getpid(), sig))
}

// receive starts a task that receives n signals of the given kinds.
func receive(ctx context.Context, n int, kinds ...os.Signal) *task.Task[string] {
	t := task.Start(ctx, func(ctx context.Context) (string, error) {
		var got []string
		for sig, err := range await.Signals(ctx, kinds...) {
			if err != nil {
				return strings.Join(got, ", "), err
			}
			if got = append(got, sig.String()); len(got) == n {
				break
			}
		}
		return strings.Join(got, ", "), nil
	})
	task.Yield(ctx) // the range begins
	return t
}

func TestEachReceiverGetsEachSignal(t *testing.T) {
	onPollers(t, func(ctx context.Context, t *testing.T) {
		once := receive(ctx, 1, syscall.SIGUSR1)
		twice := receive(ctx, 2, syscall.SIGUSR1, syscall.SIGUSR2)
		other := receive(ctx, 1, syscall.SIGUSR2)
		raise(t, syscall.SIGUSR1)
		if got, err := once.Await(ctx); got != "user defined signal 1" || err != nil {
			t.Errorf("one receiver got %q, %v", got, err)
		}
		raise(t, syscall.SIGUSR2)
		if got, err := twice.Await(ctx); got != "user defined signal 1, user defined signal 2" || err != nil {
			t.Errorf("one receiver of two kinds got %q, %v", got, err)
		}
		if got, err := other.Await(ctx); got != "user defined signal 2" || err != nil {
			t.Errorf("one receiver of the other kind got %q, %v", got, err)
		}
	})
}

// A handler of the loop and a receiver both get a signal. The end of one does not end the
// other.
func TestSignalsBesideHandler(t *testing.T) {
	onPollers(t, func(ctx context.Context, t *testing.T) {
		l, handled := task.Loop(ctx), 0
		check(t, "AddSignalHandler", l.AddSignalHandler(syscall.SIGUSR1, func() { handled++ }))
		receive(ctx, 1, syscall.SIGUSR1).Cancel(nil) // a receiver that ends at once
		first := receive(ctx, 1, syscall.SIGUSR1)
		raise(t, syscall.SIGUSR1)
		first.Await(ctx)
		for handled == 0 {
			task.Yield(ctx)
		}
		second := receive(ctx, 1, syscall.SIGUSR1)
		if !l.RemoveSignalHandler(syscall.SIGUSR1) || l.RemoveSignalHandler(syscall.SIGUSR1) {
			t.Error("RemoveSignalHandler did not return true and then false")
		}
		raise(t, syscall.SIGUSR1)
		if got, err := second.Await(ctx); got != "user defined signal 1" || err != nil || handled != 1 {
			t.Errorf("after the handler was removed a receiver got %q, %v, and the handler %d", got, err, handled)
		}
	})
}

// Signals that come while the body of the range runs are not lost. Signals of one kind
// count once. They come in the order in which the loop received them.
func TestSignalsWhileTheBodyRuns(t *testing.T) {
	onPollers(t, func(ctx context.Context, t *testing.T) {
		seen := func(sig syscall.Signal) { // returns when the loop has received sig
			witness := receive(ctx, 1, sig)
			raise(t, sig)
			witness.Await(ctx)
		}
		task.Go(ctx, func(context.Context) error { return syscall.Kill(syscall.Getpid(), syscall.SIGUSR1) })
		var got []string
		for sig, err := range await.Signals(ctx, syscall.SIGUSR1, syscall.SIGUSR2) {
			check(t, "Signals", err)
			got = append(got, sig.String())
			if len(got) == 3 {
				break
			}
			if len(got) == 1 {
				seen(syscall.SIGUSR2)
				seen(syscall.SIGUSR2)
				seen(syscall.SIGUSR1)
			}
		}
		if s := strings.Join(got, ", "); s != "user defined signal 1, user defined signal 2, user defined signal 1" {
			t.Errorf("the signals were %s", s)
		}
	})
}

func TestCancelEndsRangeOfSignals(t *testing.T) {
	onPollers(t, func(ctx context.Context, t *testing.T) {
		waits := receive(ctx, 1, syscall.SIGUSR1)
		waits.Cancel(nil)
		_, err := waits.Await(ctx)
		var canceled *task.Canceled
		if !errors.As(err, &canceled) {
			t.Errorf("after a cancel: %v, want a *task.Canceled", err)
		}
	})
}

// Receiving begins with the call, and ends when the range ends or ctx is cancelled.
func TestSignalsBeginAndEnd(t *testing.T) {
	onPollers(t, func(ctx context.Context, t *testing.T) {
		received := func() bool { return task.Loop(ctx).Driver().Signal(syscall.SIGUSR1) }
		for what, use := range map[string]func(ctx context.Context) error{
			"after a range": func(ctx context.Context) error {
				signals := await.Signals(ctx, syscall.SIGUSR1)
				raise(t, syscall.SIGUSR1)
				for sig, err := range signals {
					if sig != syscall.SIGUSR1 || err != nil {
						t.Errorf("the range began with %v, %v", sig, err)
					}
					break
				}
				if received() {
					t.Error("the signal is still received after the range")
				}
				for sig, err := range signals {
					if sig != nil || !errors.Is(err, os.ErrClosed) {
						t.Errorf("a second range: %v, %v, want os.ErrClosed", sig, err)
					}
				}
				return nil
			},
			"after a cancel without a range": func(ctx context.Context) error {
				await.Signals(ctx, syscall.SIGUSR1)
				if !received() {
					t.Error("the signal is not received")
				}
				task.ScopeOf(ctx).Cancel(nil)
				return nil
			},
			"after a panic": func(ctx context.Context) error {
				defer func() { _ = recover() }()
				signals := await.Signals(ctx, syscall.SIGUSR1)
				raise(t, syscall.SIGUSR1)
				for range signals {
					panic("oops")
				}
				return nil
			},
		} {
			check(t, what, task.Scope(ctx, use))
			for received() { // a cancel ends it some turns later
				if err := task.Yield(ctx); err != nil {
					t.Fatalf("the signal is still received %s", what)
				}
			}
		}
	})
}

func TestSignalsThatCannotBeReceived(t *testing.T) {
	onPollers(t, func(ctx context.Context, t *testing.T) {
		for sig, err := range await.Signals(ctx, syscall.SIGUSR1, syscall.SIGKILL) {
			if sig != nil || !errors.Is(err, os.ErrInvalid) {
				t.Errorf("%v, %v, want os.ErrInvalid", sig, err)
			}
		}
		panics(t, func() { await.Signals(ctx) }, "Signals of no kind")
	})
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for sig, err := range await.Signals(ctx, syscall.SIGUSR1) {
			if sig != nil || !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%v, %v, want errors.ErrUnsupported", sig, err)
			}
		}
	})
}

// receivesInterrupts is a program that receives SIGINT twice and then waits.
func receivesInterrupts(ctx context.Context) error {
	n, signals := 0, await.Signals(ctx, os.Interrupt)
	fmt.Println("ready")
	for sig, err := range signals {
		if err != nil {
			return err
		}
		if n++; n == 2 {
			break
		}
		fmt.Println(sig, ctx.Err())
	}
	fmt.Println("twice", ctx.Err())
	return await.Sleep(ctx, time.Hour)
}

// receivesOnce is a program that receives SIGHUP once. After that, SIGHUP has its default
// action again.
func receivesOnce(ctx context.Context) error {
	got := receive(ctx, 1, syscall.SIGHUP)
	fmt.Println("ready")
	if _, err := got.Await(ctx); err != nil {
		return err
	}
	fmt.Println("received")
	return await.Sleep(ctx, time.Hour)
}

// receivesForever is a program that only waits for signals. That is not a deadlock.
func receivesForever(ctx context.Context) error {
	signals := await.Signals(ctx, syscall.SIGUSR1)
	fmt.Println("ready")
	for _, err := range signals {
		if err != nil {
			return err
		}
	}
	return nil
}

func init() {
	programs["receives interrupts"] = receivesInterrupts
	programs["receives once"] = receivesOnce
	programs["receives forever"] = receivesForever
}

// When the last receiver of a signal has ended, task.Main handles the signal again.
func TestMainHandlesSignalsAfterTheLastReceiver(t *testing.T) {
	interrupt, hangup := syscall.SIGINT, syscall.SIGHUP
	for _, c := range []struct {
		program string
		signals []syscall.Signal // one after each line
		lines   []string
		status  string
	}{
		{"receives interrupts", []syscall.Signal{interrupt, interrupt, interrupt},
			[]string{"ready", "interrupt <nil>", "twice <nil>", "signal: interrupt"}, "exit status 130"},
		{"receives once", []syscall.Signal{hangup, hangup}, []string{"ready", "received"}, "signal: hangup"},
		{"receives forever", []syscall.Signal{interrupt}, []string{"ready", "signal: interrupt"}, "exit status 130"},
	} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), programVar+"="+c.program)
			r, w, err := os.Pipe()
			check(t, "Pipe", err)
			defer r.Close()
			cmd.Stdout, cmd.Stderr = w, w
			check(t, "Start", cmd.Start())
			w.Close()
			lines := bufio.NewReader(r)
			for i, want := range c.lines {
				if line, err := lines.ReadString('\n'); line != want+"\n" {
					t.Errorf("the program printed %q, %v, want %q", line, err, want)
				}
				if i < len(c.signals) {
					check(t, "Signal", cmd.Process.Signal(c.signals[i]))
				}
			}
			if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
				t.Errorf("the program also printed %q, %v", rest, err)
			}
			if err := cmd.Wait(); err == nil || !strings.HasPrefix(err.Error(), c.status) {
				t.Errorf("the program ended with %v, want %s", err, c.status)
			}
		})
	}
}

// A program can reload its configuration when it receives SIGHUP.
func ExampleSignals() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(context.Context) error { // in place of kill(1)
			return syscall.Kill(syscall.Getpid(), syscall.SIGHUP)
		})
		for sig, err := range await.Signals(ctx, syscall.SIGHUP, syscall.SIGUSR1) {
			if err != nil {
				return err
			}
			fmt.Println("received:", sig)
			break
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// received: hangup
	// <nil>
}
