// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/netio/process"
	"baton/sim"
	"baton/task"
)

// shell returns a command that runs a script with /bin/sh.
func shell(script string, args ...string) *process.Cmd {
	return process.Command("/bin/sh", append([]string{"-c", script, "sh"}, args...)...)
}

// status returns the exit code of a child or, if a signal has ended it, the negated number of
// the signal. For other errors it returns 1000.
func status(err error) int {
	failed, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0
	case !ok:
		return 1000
	}
	if s, ok := failed.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return -int(s.Signal())
	}
	return failed.ExitCode()
}

// The error of Run has the exit code of the child, or the signal that has ended it.
func TestExitStatus(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		for script, want := range map[string]int{
			"exit 0": 0, "exit 7": 7, "kill -KILL $$": -int(syscall.SIGKILL), "kill -TERM $$": -int(syscall.SIGTERM),
		} {
			c := shell(script)
			if err := c.Run(ctx); status(err) != want {
				t.Errorf("%s: %v, want the status %d", script, err, want)
			}
			if c.ProcessState == nil || c.ProcessState.Success() != (want == 0) {
				t.Errorf("%s: the state is %v", script, c.ProcessState)
			}
		}
	})
}

// Output and CombinedOutput return what the methods of package os/exec return.
func TestOutput(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		if out, err := process.Command("echo", "hello").Output(ctx); string(out) != "hello\n" || err != nil {
			t.Errorf("Output: %q, %v", out, err)
		}
		out, err := shell("echo out; echo why >&2; exit 3").Output(ctx)
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok || string(out) != "out\n" || string(failed.Stderr) != "why\n" || failed.ExitCode() != 3 {
			t.Errorf("Output of a failure: %q, %v", out, err)
		}
		out, err = shell("echo one; echo two >&2; echo three").CombinedOutput(ctx)
		if string(out) != "one\ntwo\nthree\n" || err != nil {
			t.Errorf("CombinedOutput: %q, %v", out, err)
		}
		_, err = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1").Output(ctx)
		if failed, ok := errors.AsType[*exec.ExitError](err); !ok || len(failed.Stderr) > 66000 ||
			!bytes.Contains(failed.Stderr, []byte("... 34464 bytes left out ...")) {
			t.Errorf("a long standard error: %v", err)
		}
	})
}

// A megabyte of input and of each output moves at the same time, without a deadlock.
func TestLargeInputAndOutputs(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		input := bytes.Repeat([]byte("0123456789abcde\n"), 64<<10)
		out, errs, err := shell("tee /dev/stderr").Communicate(ctx, input)
		if err != nil || !bytes.Equal(out, input) || !bytes.Equal(errs, input) {
			t.Errorf("Communicate: %d and %d bytes, %v", len(out), len(errs), err)
		}
		var stdout, stderr bytes.Buffer
		c := shell("tee /dev/stderr")
		c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(input), &stdout, &stderr
		if err := c.Run(ctx); err != nil || !bytes.Equal(stdout.Bytes(), input) || !bytes.Equal(stderr.Bytes(), input) {
			t.Errorf("Run: %d and %d bytes, %v", stdout.Len(), stderr.Len(), err)
		}
	})
}

// With an empty input the child finds the end at once. A child need not read its input.
func TestCommunicate(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		if out, _, err := process.Command("cat").Communicate(ctx, nil); len(out) > 0 || err != nil {
			t.Errorf("Communicate of nothing: %q, %v", out, err)
		}
		large := make([]byte, 1<<20)
		if _, _, err := process.Command("true").Communicate(ctx, large); err != nil {
			t.Errorf("Communicate with a child that does not read: %v", err)
		}
		if out, _, err := shell("exec <&-; echo closed; exit 5").Communicate(ctx, large); status(err) != 5 || string(out) != "closed\n" {
			t.Errorf("Communicate with a child that has closed its input: %q, %v", out, err)
		}
		_, errs, err := shell("cat >&2; exit 4").Communicate(ctx, []byte("bytes"))
		if status(err) != 4 || string(errs) != "bytes" {
			t.Errorf("Communicate: %q, %v", errs, err)
		}
	})
}

// If the ctx of Communicate is not the ctx of Start, a cancel leaves the child running.
func TestCancelledCommunicateLeavesChild(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("echo first; read line; echo $line")
		in, out := must(c.StdinPipe(ctx))(t), must(c.StdoutPipe(ctx))(t)
		if err := c.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if line, err := out.ReadLine(ctx); line != "first" || err != nil {
			t.Errorf("the child wrote %q, %v", line, err)
		}
		call := task.StartErr(ctx, func(ctx context.Context) error {
			_, _, err := c.Communicate(ctx, make([]byte, 0))
			return err
		})
		task.Yield(ctx)
		call.Cancel(nil)
		var canceled *task.Canceled
		if _, err := call.Await(ctx); !errors.As(err, &canceled) {
			t.Errorf("the cancelled Communicate: %v", err)
		}
		_ = in.Close()
		if stdout, _, err := c.Communicate(ctx, nil); string(stdout) != "\n" || status(err) != 0 {
			t.Errorf("the next Communicate: %q, %v", stdout, err)
		}
	})
}

// After a cancel, the next Communicate goes on, even if an output of the child has ended before.
func TestCommunicateAfterTheEndOfAnOutput(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("echo last; exec >&-; read line; echo why >&2")
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdin = r
		out := must(c.StdoutPipe(ctx))(t)
		must(c.StderrPipe(ctx))(t)
		err = c.Start(ctx)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		call := task.Start(ctx, func(ctx context.Context) (string, error) {
			stdout, _, err := c.Communicate(ctx, nil)
			return string(stdout), err
		})
		for !errors.Is(out.SetNoDelay(true), net.ErrClosed) { // Communicate closes what has ended
			task.Yield(ctx)
		}
		call.Cancel(nil)
		var canceled *task.Canceled
		if stdout, err := call.Await(ctx); stdout != "last\n" || !errors.As(err, &canceled) {
			t.Errorf("the cancelled Communicate: %q, %v", stdout, err)
		}
		_ = w.Close()
		if stdout, stderr, err := c.Communicate(ctx, nil); len(stdout) > 0 || string(stderr) != "why\n" || err != nil {
			t.Errorf("the next Communicate: %q, %q, %v", stdout, stderr, err)
		}
	})
}

// The child gets the environment, the directory and the files of its Cmd.
func TestEnvironmentDirectoryAndFiles(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		dir := must(filepath.EvalSymlinks(t.TempDir()))(t)
		r, w := files(t)
		defer r.Close()
		c := shell(`pwd; echo "$NAME"; echo extra >&3; ps -o sid= -p $$ 2>/dev/null; exit 0`)
		c.Dir, c.Env, c.ExtraFiles = dir, append(os.Environ(), "NAME=value"), []*os.File{w}
		out, err := c.Output(ctx)
		if lines := strings.Split(string(out), "\n"); err != nil || lines[0] != dir || lines[1] != "value" {
			t.Errorf("the child wrote %q, %v", out, err)
		}
		w.Close()
		s := must(process.ReadPipe(ctx, r))(t)
		defer s.Close()
		if extra, err := s.ReadAll(ctx, 100); string(extra) != "extra\n" || err != nil {
			t.Errorf("the extra file contains %q, %v", extra, err)
		}
		file := must(os.Create(filepath.Join(dir, "out")))(t)
		defer file.Close()
		c = shell("echo to a file; echo too >&2")
		c.Stdout, c.Stderr = file, file
		want(t, "Run", c.Run(ctx), nil)
		if data := must(os.ReadFile(file.Name()))(t); string(data) != "to a file\ntoo\n" {
			t.Errorf("the file contains %q", data)
		}
	})
}

// If a command cannot be started, Start returns the error of package os/exec.
func TestStartFails(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		var out bytes.Buffer
		for _, c := range []struct {
			cmd  *process.Cmd
			want error
		}{
			{process.Command("no-such-program"), exec.ErrNotFound},
			{process.Command("/no/such/program"), fs.ErrNotExist},
			{process.Command("/"), syscall.EISDIR},
			{&process.Cmd{Path: "/bin/true", Dir: "/no/such/directory"}, fs.ErrNotExist},
		} {
			c.cmd.Stdin, c.cmd.Stdout = strings.NewReader("x"), &out
			s := must(c.cmd.StderrPipe(ctx))(t)
			want(t, c.cmd.Path, c.cmd.Start(ctx), c.want)
			if err := s.Close(); err == nil {
				t.Errorf("%s: the pipe was not closed", c.cmd.Path)
			}
			if err := c.cmd.Wait(ctx); err == nil {
				t.Errorf("%s: Wait succeeds", c.cmd.Path)
			}
		}
		c := process.Command("true")
		want(t, "Run", c.Run(ctx), nil)
		if err := c.Start(ctx); err == nil {
			t.Error("a second Start succeeds")
		}
	})
}

// Any number of tasks can wait for a child. Wait can be called again after a cancelled Wait,
// and after the end of the child.
func TestWaitByManyTasks(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("read line; exit 5")
		in := must(c.StdinPipe(ctx))(t)
		want(t, "Start", c.Start(ctx), nil)
		var canceled *task.Canceled
		first := task.StartErr(ctx, c.Wait)
		task.Yield(ctx)
		first.Cancel(nil)
		if _, err := first.Await(ctx); !errors.As(err, &canceled) {
			t.Errorf("the cancelled Wait: %v", err)
		}
		var waits []*task.Task[struct{}]
		for range 10 {
			waits = append(waits, task.StartErr(ctx, c.Wait))
		}
		task.Yield(ctx)
		want(t, "Close", in.Close(), nil)
		for _, wait := range waits {
			if _, err := wait.Await(ctx); status(err) != 5 {
				t.Errorf("Wait: %v, want the status 5", err)
			}
		}
		if err := c.Wait(ctx); status(err) != 5 {
			t.Errorf("Wait after the end: %v, want the status 5", err)
		}
		want(t, "Kill after the end", c.Kill(), os.ErrProcessDone)
	})
}

// Kill, Terminate and Signal send their signals to the child.
func TestSignal(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		for _, c := range []struct {
			send   func(*process.Cmd) error
			status int
		}{
			{(*process.Cmd).Kill, -int(syscall.SIGKILL)},
			{(*process.Cmd).Terminate, -int(syscall.SIGTERM)},
			{func(c *process.Cmd) error { return c.Signal(syscall.SIGUSR1) }, -int(syscall.SIGUSR1)},
		} {
			for _, group := range []bool{false, true} {
				cmd := shell("echo sleeping; exec sleep 60")
				cmd.Group = group
				out := must(cmd.StdoutPipe(ctx))(t)
				want(t, "Start", cmd.Start(ctx), nil)
				if line, err := out.ReadLine(ctx); line != "sleeping" {
					t.Errorf("the child wrote %q, %v", line, err)
				}
				want(t, "the signal", c.send(cmd), nil)
				if err := cmd.Wait(ctx); status(err) != c.status {
					t.Errorf("group %v: %v, want the status %d", group, err, c.status)
				}
				out.Close()
			}
		}
		want := func(what string, err error) {
			if err == nil {
				t.Errorf("%s before Start succeeds", what)
			}
		}
		want("Kill", shell("").Kill())
		want("Wait", shell("").Wait(ctx))
	})
}

// A child whose output is not read has to wait, and loses no output.
func TestFullPipeBlocksChild(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("head -c 1000000 /dev/zero; echo done >&2")
		out, errs := must(c.StdoutPipe(ctx))(t), must(c.StderrPipe(ctx))(t)
		defer out.Close()
		defer errs.Close()
		want(t, "Start", c.Start(ctx), nil)
		done := task.Start(ctx, errs.ReadLine)
		for range 100 {
			task.Yield(ctx)
		}
		if done.Done() {
			t.Error("the child has written everything before a read")
		}
		if data, err := out.ReadAll(ctx, 1<<20); len(data) != 1000000 || err != nil {
			t.Errorf("read %d bytes, %v", len(data), err)
		}
		if line, err := done.Await(ctx); line != "done" || err != nil {
			t.Errorf("the child wrote %q, %v", line, err)
		}
		want(t, "Wait", c.Wait(ctx), nil)
	})
}

// Children do not inherit each other's pipes: the first child finds the end of its input while
// the second child runs.
func TestPipesAreNotInherited(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		first := process.Command("cat")
		in, out := must(first.StdinPipe(ctx))(t), must(first.StdoutPipe(ctx))(t)
		defer out.Close()
		want(t, "Start", first.Start(ctx), nil)
		second := process.Command("cat")
		in2 := must(second.StdinPipe(ctx))(t)
		want(t, "Start", second.Start(ctx), nil)
		want(t, "Close", in.Close(), nil)
		want(t, "Wait", first.Wait(ctx), nil)
		want(t, "Close", in2.Close(), nil)
		want(t, "Wait", second.Wait(ctx), nil)
	})
}

// A gate is a Reader and a Writer that blocks until the channel is closed.
type gate chan struct{}

func (g gate) Read(p []byte) (int, error)  { <-g; return copy(p, "x"), nil }
func (g gate) Write(p []byte) (int, error) { <-g; return len(p), nil }

// A Reader or Writer that blocks does not stop the loop, and is abandoned when the child ends.
func TestBlockingReaderAndWriter(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		in, out := make(gate), make(gate)
		defer close(in)
		defer close(out)
		c := shell("echo hello")
		c.Stdin, c.Stdout, c.WaitDelay = in, out, time.Millisecond
		turns := 0
		other := task.Go(ctx, func(ctx context.Context) error {
			for {
				turns++
				if err := await.Sleep(ctx, time.Microsecond); err != nil {
					return nil
				}
			}
		})
		want(t, "Run", c.Run(ctx), exec.ErrWaitDelay)
		c = process.Command("true")
		c.Stdin, c.WaitDelay = in, -1
		want(t, "Run of a child that does not read", c.Run(ctx), nil)
		other.Cancel(nil)
		if turns < 2 {
			t.Error("the other task did not run")
		}
	})
}

// A broken Writer fails.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken")

// Wait returns the error of a Writer that fails. The pipe is closed, so that the child ends.
func TestWriterFails(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("trap '' PIPE; while echo y; do :; done 2>/dev/null; exit 0")
		c.Stdout = broken{}
		want(t, "Run", c.Run(ctx), errBroken)
	})
}

// A simulated world has no child processes.
func TestCmdInSim(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		want(t, "Run", process.Command("true").Run(ctx), errors.ErrUnsupported)
		_, err := process.Command("true").StdoutPipe(ctx)
		want(t, "StdoutPipe", err, errors.ErrUnsupported)
	})
}
