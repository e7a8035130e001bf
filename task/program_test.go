// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/task"
)

// programVar is the environment variable that names the program to run.
const programVar = "BATON_TEST_PROGRAM"

// A list is an error that is not comparable.
type list []error

func (l list) Error() string { return fmt.Sprint([]error(l)) }

// programs are the main functions of test programs. Each prints a line when it is ready for
// its signal.
var programs = map[string]func(ctx context.Context) error{
	"clean": func(ctx context.Context) error { return nil },
	"fails": func(ctx context.Context) error { return errOops },
	"panics": func(ctx context.Context) error {
		task.Go(ctx, func(context.Context) error { panic(errOops) })
		return nil
	},
	"waits": func(ctx context.Context) error {
		fmt.Println("ready")
		err := sleep(ctx, time.Hour)
		var s *task.SignalError
		fmt.Println("cause:", errors.As(context.Cause(ctx), &s), s)
		cleanup, release := task.Shield(ctx, time.Second)
		defer release()
		fmt.Println("cleanup:", sleep(cleanup, time.Millisecond))
		return err
	},
	"suppresses": func(ctx context.Context) error {
		fmt.Println("ready")
		sleep(ctx, time.Hour)
		return nil
	},
	"suppresses in a scope": func(ctx context.Context) error {
		task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return sleep(ctx, time.Hour) })
			fmt.Println("ready")
			return nil
		})
		return nil
	},
	"suppresses, and a task does not": func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return sleep(ctx, time.Hour) })
		fmt.Println("ready")
		return nil
	},
	"handles the first": func(ctx context.Context) error {
		l := task.Loop(ctx)
		err := l.AddSignalHandler(os.Interrupt, func() {
			l.RemoveSignalHandler(os.Interrupt)
			fmt.Println("handled:", ctx.Err())
		})
		if err != nil {
			return err
		}
		fmt.Println("ready")
		return sleep(ctx, time.Hour)
	},
	"ignores the cancel": func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return task.Park(ctx, new(refuser)) })
		task.Go(ctx, func(ctx context.Context) error {
			shielded, release := task.Shield(ctx, -1)
			defer release()
			fmt.Println("ready")
			for {
				task.Yield(shielded)
			}
		})
		return forever(ctx)
	},
	"waits for signals only": func(ctx context.Context) error {
		if err := task.Loop(ctx).AddSignalHandler(os.Interrupt, func() {}); err != nil {
			return err
		}
		fmt.Println("ready")
		return forever(ctx)
	},
	"returns the cancel and a failure": func(ctx context.Context) error {
		fmt.Println("ready")
		err := fmt.Errorf("serve: %w", sleep(ctx, time.Hour))
		return errors.Join(err, ctx.Err(), fmt.Errorf("cut off: %w", errOops))
	},
	"returns the cancel in all forms": func(ctx context.Context) error {
		fmt.Println("ready")
		err := sleep(ctx, time.Hour)
		return errors.Join(err, fmt.Errorf("serve: %w", err), ctx.Err(), context.Canceled)
	},
	"returns the cause": func(ctx context.Context) error {
		fmt.Println("ready")
		sleep(ctx, time.Hour)
		return context.Cause(ctx)
	},
	"returns the cause in all forms": func(ctx context.Context) error {
		fmt.Println("ready")
		err := sleep(ctx, time.Hour)
		cause := context.Cause(ctx)
		all := errors.Join(cause, fmt.Errorf("both: %w", errors.Join(cause, err)))
		return errors.Join(fmt.Errorf("work: %w", cause), all)
	},
	"returns the cause and a failure": func(ctx context.Context) error {
		fmt.Println("ready")
		err := sleep(ctx, time.Hour)
		more := fmt.Errorf("two: %w, %w", errOops, errOops)
		return errors.Join(errors.Join(context.Cause(ctx), more), err, fmt.Errorf("cut off: %w", errOops))
	},
	"returns a list": func(ctx context.Context) error {
		fmt.Println("ready")
		sleep(ctx, time.Hour)
		return fmt.Errorf("save: %w, %w", list{errOops}, errOops)
	},
	"returns another signal": func(ctx context.Context) error {
		fmt.Println("ready")
		sleep(ctx, time.Hour)
		return &task.SignalError{Signal: syscall.SIGHUP}
	},
	"only yields": func(ctx context.Context) error {
		fmt.Println("ready")
		for {
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
	},
	"never switches": func(context.Context) error {
		fmt.Println("ready")
		for n := 0; ; n++ {
			runtime.KeepAlive(n)
		}
	},
	"is deadlocked": func(ctx context.Context) error {
		err := forever(ctx)
		var d *task.DeadlockError
		fmt.Println("deadlock:", errors.As(err, &d))
		return err
	},
	"is never woken": func(ctx context.Context) error { return task.Park(ctx, new(refuser)) },
}

// How programs end: exit code, output and standard error.
func TestHowProgramsEnd(t *testing.T) {
	tests := []struct {
		program string
		signals []os.Signal
		exit    int
		stdout  string
		stderr  string // a part of standard error, or all of it if this ends with a newline
	}{
		{"clean", nil, 0, "", ""},
		{"fails", nil, 1, "", "oops\n"},
		{"panics", nil, 2, "", "oops"},
		{"waits", []os.Signal{os.Interrupt}, 130, "cause: true signal: interrupt\ncleanup: <nil>\n", "signal: interrupt\n"},
		{"waits", []os.Signal{syscall.SIGTERM}, 143, "cause: true signal: terminated\ncleanup: <nil>\n", "signal: terminated\n"},
		{"waits", []os.Signal{syscall.SIGTERM, syscall.SIGTERM}, 143, "cause: true signal: terminated\ncleanup: <nil>\n", "signal: terminated\n"},
		{"waits for signals only", []os.Signal{syscall.SIGTERM}, 143, "", "signal: terminated\n"},
		{"returns the cancel and a failure", []os.Signal{os.Interrupt}, 1, "", "signal: interrupt\nserve: task: canceled: signal: interrupt\ncontext canceled\ncut off: oops\n"},
		{"returns the cancel in all forms", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"returns the cause", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"returns the cause in all forms", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"returns the cause and a failure", []os.Signal{os.Interrupt}, 1, "",
			"signal: interrupt\nsignal: interrupt\ntwo: oops, oops\ntask: canceled: signal: interrupt\ncut off: oops\n"},
		{"returns a list", []os.Signal{os.Interrupt}, 1, "", "signal: interrupt\nsave: [oops], oops\n"},
		{"returns another signal", []os.Signal{os.Interrupt}, 1, "", "signal: interrupt\nsignal: hangup\n"},
		{"suppresses", []os.Signal{os.Interrupt}, 0, "", ""},
		{"suppresses in a scope", []os.Signal{os.Interrupt}, 0, "", ""},
		{"suppresses, and a task does not", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"only yields", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"is deadlocked", nil, 1, "deadlock: true\n", "nothing is left that could wake a task"},
		{"is never woken", nil, 2, "", "for a buffer"}, // Run gives up and leaves the goroutine behind
	}
	for _, test := range tests {
		t.Run(test.program, func(t *testing.T) {
			t.Parallel()
			exit, stdout, stderr := runChild(t, test.program, test.signals)
			if exit != test.exit || stdout != test.stdout {
				t.Errorf("exit code %d, output %q, want %d, %q", exit, stdout, test.exit, test.stdout)
			}
			stderr = notYet.ReplaceAllString(stderr, "")
			whole := test.stderr == "" || strings.HasSuffix(test.stderr, "\n")
			if !strings.Contains(stderr, test.stderr) || whole && stderr != test.stderr {
				t.Errorf("standard error %q, want %q", stderr, test.stderr)
			}
		})
	}
}

// notYet matches what Main prints one second after a signal.
var notYet = regexp.MustCompile(`(?m)^signal: .*: the program has not ended yet; another signal ends it at once\n(\t.*\n)*`)

// An exchange is a line that a program prints, and the signals that it receives after that.
type exchange struct {
	line    string // a regular expression for the whole line
	signals []os.Signal
}

// Lines of a program that a task holds, or that has not ended.
const (
	readyLine  = "ready"
	notYetLine = "signal: [a-z]+: the program has not ended yet; another signal ends it at once"
	heldLine   = `task 1 \(task_test\.init\.func\d+\) has held loop 1 for %ds, and nothing else can run on that loop`
)

// A second signal, a held loop, a signal handler, and a task that does not end.
func TestHowMainHandlesSignals(t *testing.T) {
	interrupt, terminate := []os.Signal{os.Interrupt}, []os.Signal{syscall.SIGTERM}
	for name, test := range map[string]struct {
		program   string
		exchanges []exchange
		exit      int
	}{
		"a second signal ends the process": {"never switches", []exchange{
			{readyLine, interrupt},
			{notYetLine, nil},
			{"\t" + fmt.Sprintf(heldLine, 1), interrupt},
		}, 130},
		"a held loop ends after SIGTERM": {"never switches", []exchange{
			{readyLine, terminate},
			{notYetLine, nil},
			{"\t" + fmt.Sprintf(heldLine, 1), nil},
			{"signal: terminated: " + fmt.Sprintf(heldLine, 5) + "; the process ends without cleanup", nil},
		}, 143},
		"a handler replaces Main": {"handles the first", []exchange{
			{readyLine, interrupt},
			{"handled: <nil>", interrupt},
			{"signal: interrupt", nil},
		}, 130},
		"tasks that have not ended are listed": {"ignores the cancel", []exchange{
			{readyLine, interrupt},
			{notYetLine, nil},
			{`\ttask 1 \(.*\) has waited \S+ for the tasks of its scope, on task 2 \(.*\), task 3 \(.*\); cancelled \S+ ago \(signal: interrupt\)`, nil},
			{`\ttask 2 \(.*\) has waited \S+ for a buffer; cancelled \S+ ago \(signal: interrupt\)`, nil},
			{`\ttask 3 \(.*\) is ready; cancelled \S+ ago \(signal: interrupt\)`, interrupt},
		}, 130},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if exit := converse(t, test.program, test.exchanges); exit != test.exit {
				t.Errorf("exit code %d, want %d", exit, test.exit)
			}
		})
	}
}

// converse runs a program in its own process and sends it the signals. The program must
// print exactly the given lines.
func converse(t *testing.T, program string, exchanges []exchange) (exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), programVar+"="+program)
	output, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = end, end
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end.Close()
	lines := bufio.NewReader(output)
	for _, x := range exchanges {
		if line, err := lines.ReadString('\n'); !regexp.MustCompile("^" + x.line + "\n$").MatchString(line) {
			t.Errorf("the program printed %q, %v, want %v", line, err, x.line)
		}
		for _, sig := range x.signals {
			if err := cmd.Process.Signal(sig); err != nil {
				t.Error(err)
			}
		}
	}
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("the program also printed %q, %v", rest, err)
	}
	cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// runChild runs a program in its own process and sends it the signals when it is ready.
func runChild(t *testing.T, program string, signals []os.Signal) (exit int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), programVar+"="+program)
	var errs strings.Builder
	cmd.Stderr = &errs
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if len(signals) > 0 {
		if line, err := out.ReadString('\n'); line != "ready\n" {
			t.Errorf("the program printed %q, %v, want ready", line, err)
		}
	}
	for _, sig := range signals {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Error(err)
		}
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	var status *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &status) {
		t.Error(err)
	}
	return cmd.ProcessState.ExitCode(), string(rest), errs.String()
}
