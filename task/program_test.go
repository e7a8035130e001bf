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

// programVar names the program that the test binary is to run.
const programVar = "BATON_TEST_PROGRAM"

// A list is an error that cannot be compared.
type list []error

func (l list) Error() string { return fmt.Sprint([]error(l)) }

// programs are mains of programs of their own. Each prints a line when it is
// ready for its signal.
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
	"waits for signals only": func(ctx context.Context) error {
		if err := task.Loop(ctx).AddSignalHandler(os.Interrupt, func() {}); err != nil {
			return err
		}
		fmt.Println("ready")
		return forever(ctx)
	},
	"tells more": func(ctx context.Context) error {
		fmt.Println("ready")
		err := fmt.Errorf("serve: %w", sleep(ctx, time.Hour))
		return errors.Join(err, ctx.Err(), fmt.Errorf("cut off: %w", errOops))
	},
	"tells in all forms": func(ctx context.Context) error {
		fmt.Println("ready")
		err := sleep(ctx, time.Hour)
		return errors.Join(err, fmt.Errorf("serve: %w", err), ctx.Err(), context.Canceled)
	},
	"tells the cause": func(ctx context.Context) error {
		fmt.Println("ready")
		sleep(ctx, time.Hour)
		return context.Cause(ctx)
	},
	"tells the cause in all forms": func(ctx context.Context) error {
		fmt.Println("ready")
		err := sleep(ctx, time.Hour)
		cause := context.Cause(ctx)
		all := errors.Join(cause, fmt.Errorf("both: %w", errors.Join(cause, err)))
		return errors.Join(fmt.Errorf("work: %w", cause), all)
	},
	"tells the cause and more": func(ctx context.Context) error {
		fmt.Println("ready")
		err := sleep(ctx, time.Hour)
		more := fmt.Errorf("two: %w, %w", errOops, errOops)
		return errors.Join(errors.Join(context.Cause(ctx), more), err, fmt.Errorf("cut off: %w", errOops))
	},
	"tells more in a list": func(ctx context.Context) error {
		fmt.Println("ready")
		sleep(ctx, time.Hour)
		return fmt.Errorf("save: %w, %w", list{errOops}, errOops)
	},
	"tells of another signal": func(ctx context.Context) error {
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
	"is lost": func(ctx context.Context) error { return task.Park(ctx, new(refuser)) },
}

// Behaviour 227, G22: how programs end.
func TestProgram(t *testing.T) {
	tests := []struct {
		program string
		signals []os.Signal
		exit    int
		stdout  string
		stderr  string // contained in it, or all of it if it ends a line
	}{
		{"clean", nil, 0, "", ""},
		{"fails", nil, 1, "", "oops\n"},
		{"panics", nil, 2, "", "oops"},
		{"waits", []os.Signal{os.Interrupt}, 130, "cause: true signal: interrupt\ncleanup: <nil>\n", "signal: interrupt\n"},
		{"waits", []os.Signal{syscall.SIGTERM}, 143, "cause: true signal: terminated\ncleanup: <nil>\n", "signal: terminated\n"},
		{"waits for signals only", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"tells more", []os.Signal{os.Interrupt}, 1, "", "signal: interrupt\nserve: task: canceled: signal: interrupt\ncontext canceled\ncut off: oops\n"},
		{"tells in all forms", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"tells the cause", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"tells the cause in all forms", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"tells the cause and more", []os.Signal{os.Interrupt}, 1, "",
			"signal: interrupt\nsignal: interrupt\ntwo: oops, oops\ntask: canceled: signal: interrupt\ncut off: oops\n"},
		{"tells more in a list", []os.Signal{os.Interrupt}, 1, "", "signal: interrupt\nsave: [oops], oops\n"},
		{"tells of another signal", []os.Signal{os.Interrupt}, 1, "", "signal: interrupt\nsignal: hangup\n"},
		{"suppresses", []os.Signal{os.Interrupt}, 0, "", ""},
		{"suppresses in a scope", []os.Signal{os.Interrupt}, 0, "", ""},
		{"suppresses, and a task does not", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"only yields", []os.Signal{os.Interrupt}, 130, "", "signal: interrupt\n"},
		{"never switches", []os.Signal{os.Interrupt, syscall.SIGTERM}, 143, "", ""},
		{"is deadlocked", nil, 1, "deadlock: true\n", "nothing is left that could wake a task"},
		{"is lost", nil, 2, "", "for a buffer"}, // given up, with its goroutine
	}
	for _, test := range tests {
		t.Run(test.program, func(t *testing.T) {
			t.Parallel()
			exit, stdout, stderr := runChild(t, test.program, test.signals)
			if len(test.signals) > 1 && exit == 130 {
				exit = 143 // the two were under way together, and either may come last
			}
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

// notYet is what Main says a second after a signal.
var notYet = regexp.MustCompile(`(?m)^signal: .*: the tasks have not ended yet; another signal ends the process at once\n`)

// Main tells whoever waits after a signal that another one helps.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), programVar+"=never switches")
	output, end := io.Pipe()
	cmd.Stdout, cmd.Stderr = end, end
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	for _, want := range []*regexp.Regexp{regexp.MustCompile("^ready\n$"), notYet} {
		if line, err := lines.ReadString('\n'); !want.MatchString(line) {
			t.Errorf("the program says %q, %v, want %v", line, err, want)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
}

// runChild runs a program in a process of its own, and sends it the signals, the
// first one when it is ready and the others until it has ended.
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
			t.Errorf("the program says %q, %v", line, err)
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
