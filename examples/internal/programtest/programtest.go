// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Package programtest runs an example with worker processes for its tests. The program is
// the test binary, started again.
package programtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// variable is the environment variable that makes a test binary the program.
const variable = "PROGRAMTEST_IS_PROGRAM"

// IsProgram reports whether this process is a program that a test has started. TestMain must
// call main then.
func IsProgram() bool { return os.Getenv(variable) != "" }

// patience bounds each test. Only a program that hangs needs so long.
const patience = 2 * time.Minute

// A Program is a run of the example. Its workers write to the same pipe, so the output ends
// when all processes have ended.
type Program struct {
	Ctx     context.Context // ends before the test does
	PID     int             // the process number of the supervisor
	Address string          // where the program serves

	t     *testing.T
	cmd   *exec.Cmd
	ended chan error // gets the error of Wait when all processes have ended

	mu      sync.Mutex
	output  []byte
	seen    int           // bytes of output before the end of the last match of Await
	printed chan struct{} // closed, and replaced, when the output grows
}

// Command returns the command that runs the program. The caller runs it.
func Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), variable+"=1")
	return cmd
}

// Start starts the program with --port 0 and args, and returns when it serves. It kills the
// program at the end of the test.
func Start(t *testing.T, args ...string) *Program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	p := &Program{Ctx: ctx, t: t, ended: make(chan error, 1), printed: make(chan struct{})}
	p.cmd = Command(ctx, append([]string{"--port", "0"}, args...)...)
	p.cmd.WaitDelay = patience // workers may outlive the supervisor
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.PID = p.cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { cancel(); <-ended })
	p.Address = p.Await(`serving on (\S+)\n`)
	return p
}

// Write takes output of the program.
func (p *Program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.output = append(p.output, b...)
	close(p.printed)
	p.printed = make(chan struct{})
	return len(b), nil
}

// Output returns the whole output so far.
func (p *Program) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.output)
}

// Await waits until the program prints text that matches pattern, after the match of the last
// Await. It returns what the group of the pattern has matched.
func (p *Program) Await(pattern string) string {
	p.t.Helper()
	compiled := regexp.MustCompile(pattern)
	for {
		p.mu.Lock()
		found := compiled.FindSubmatchIndex(p.output[p.seen:])
		printed, from := p.printed, p.output[p.seen:]
		if found != nil {
			p.seen += found[1]
		}
		p.mu.Unlock()
		if found != nil {
			return string(from[found[2]:found[3]])
		}
		select {
		case <-printed:
		case <-p.Ctx.Done():
			p.t.Fatalf("%q is missing in the output:\n%s", pattern, p.Output())
		}
	}
}

// Worker waits for a worker that serves, and returns its process number.
func (p *Program) Worker() int {
	p.t.Helper()
	pid, err := strconv.Atoi(p.Await(`worker (\d+) serves\n`))
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// Signal sends a signal to the supervisor or to a worker. The end of the test continues a
// stopped worker, which then ends if the test has failed and the supervisor has not killed it.
func (p *Program) Signal(pid int, sig syscall.Signal) {
	p.t.Helper()
	if sig == syscall.SIGSTOP {
		p.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	}
	if err := syscall.Kill(pid, sig); err != nil {
		p.t.Fatal(err)
	}
}

// Gone fails the test if a process exists.
func (p *Program) Gone(pids ...int) {
	p.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			p.t.Errorf("process %d still exists: %v", pid, err)
		}
	}
}

// End waits until all processes have ended. It returns the exit status of the supervisor and
// the whole output.
func (p *Program) End() (status int, output string) {
	p.t.Helper()
	if err := <-p.ended; p.Ctx.Err() != nil {
		p.t.Fatalf("the program does not end (%v):\n%s", err, p.Output())
	}
	return p.cmd.ProcessState.ExitCode(), p.Output()
}
