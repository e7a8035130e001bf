// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio/process"
	"baton/task"
)

// The end of the ctx of Start asks the child to end, and the scope waits for that.
func TestScopeEnds(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("trap 'echo asked; exit 9' TERM; echo ready; while :; do sleep 60 & wait; done")
		c.Group = true
		out := must(c.StdoutPipe(ctx))(t)
		defer out.Close()
		reason := errors.New("enough")
		err := task.Scope(ctx, func(ctx context.Context) error {
			if err := c.Start(ctx); err != nil {
				return err
			}
			if line, err := out.ReadLine(ctx); line != "ready" {
				t.Errorf("the child says %q, %v", line, err)
			}
			return reason
		})
		want(t, "the scope", err, reason)
		if c.ProcessState == nil {
			t.Fatal("the scope has ended before the child")
		}
		if err := c.Wait(ctx); status(err) != 9 {
			t.Errorf("Wait: %v, want the status 9", err)
		}
		if rest, err := out.ReadAll(ctx, 100); string(rest) != "asked\n" || err != nil {
			t.Errorf("the rest of the output is %q, %v", rest, err)
		}
	})
}

// A child that does not obey is killed after Grace.
func TestGrace(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		for _, grace := range []time.Duration{time.Millisecond, -1} {
			c := shell("trap '' TERM; echo ready; while :; do sleep 1; done")
			c.Grace, c.Group = grace, true
			out := must(c.StdoutPipe(ctx))(t)
			timed, release := await.WithTimeout(ctx, time.Hour)
			want(t, "Start", c.Start(timed), nil)
			if line, err := out.ReadLine(ctx); line != "ready" {
				t.Errorf("the child says %q, %v", line, err)
			}
			release()
			if err := c.Wait(ctx); status(err) != -int(syscall.SIGKILL) {
				t.Errorf("grace %v: %v, want SIGKILL", grace, err)
			}
			out.Close()
		}
	})
}

// Cancel takes the place of SIGTERM. With an error, or a panic, the child is killed at once.
func TestCancelFunction(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		refused := errors.New("refused")
		for _, row := range []struct {
			cancel func(c *process.Cmd) error
			status int
		}{
			{func(c *process.Cmd) error { return c.Signal(syscall.SIGHUP) }, -int(syscall.SIGHUP)},
			{func(*process.Cmd) error { return refused }, -int(syscall.SIGKILL)},
		} {
			c := process.Command("sleep", "60")
			c.Cancel = func() error { return row.cancel(c) }
			timed, release := await.WithTimeout(ctx, time.Hour)
			want(t, "Start", c.Start(timed), nil)
			release()
			if err := c.Wait(ctx); status(err) != row.status {
				t.Errorf("Wait: %v, want the status %d", err, row.status)
			}
		}
		var reported error
		task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reported = e.Err })
		defer task.Loop(ctx).SetExceptionHandler(nil)
		c := process.Command("sleep", "60")
		c.Cancel = func() error { panic(refused) }
		err := task.Scope(ctx, func(ctx context.Context) error {
			if err := c.Start(ctx); err != nil {
				return err
			}
			return refused
		})
		var panicked *task.PanicError
		if !errors.As(err, &panicked) || c.ProcessState == nil {
			t.Errorf("the scope of a Cancel that panics: %v, with the child %v", err, c.ProcessState)
		} else {
			panicked.Report(ctx)
			task.Yield(ctx)
		}
		want(t, "the report", reported, refused)
	})
}

// A Cancel that finds its stream closed has asked the child before: it is not killed at once.
func TestCancelFunctionOfClosedStream(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("read line; exit 7")
		in := must(c.StdinPipe(ctx))(t)
		c.Cancel = func() error {
			want(t, "Close", in.Close(), nil)
			return in.Close()
		}
		timed, release := await.WithTimeout(ctx, time.Hour)
		want(t, "Start", c.Start(timed), nil)
		release()
		if err := c.Wait(ctx); status(err) != 7 {
			t.Errorf("Wait: %v, want the status 7", err)
		}
	})
}

// Run does not return before the child, when it is cancelled.
func TestRunIsCancelled(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := process.Command("sleep", "60")
		err := await.Timeout(ctx, time.Millisecond, c.Run)
		want(t, "Run", err, context.DeadlineExceeded)
		if c.Process != nil && c.ProcessState == nil {
			t.Error("Run has returned before the child")
		}
	})
}

// Wait returns at the exit of the child when another process holds its pipe, after
// WaitDelay, and says so (128). A stream of StdoutPipe is not waited for.
func TestGrandchildHoldsPipe(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		script := "sleep 60 & echo $!"
		var out bytes.Buffer
		c := shell(script)
		c.Stdout, c.WaitDelay = &out, time.Millisecond
		want(t, "Run", c.Run(ctx), exec.ErrWaitDelay)
		kill(t, out.String())

		c = shell(script + "; exit 3")
		c.Stdout, c.WaitDelay = &out, time.Millisecond
		out.Reset()
		if err := c.Run(ctx); status(err) != 3 {
			t.Errorf("Run: %v, want the status 3", err)
		}
		kill(t, out.String())

		c = shell(script)
		s := must(c.StdoutPipe(ctx))(t)
		defer s.Close()
		want(t, "Run", c.Run(ctx), nil)
		line, err := s.ReadLine(ctx)
		want(t, "ReadLine", err, nil)
		kill(t, line)

		c = shell(script)
		c.WaitDelay = time.Millisecond
		stdout, _, err := c.Communicate(ctx, nil)
		want(t, "Communicate", err, exec.ErrWaitDelay)
		kill(t, string(stdout))
	})
}

// After a cancel what the child has written is read, and what another process may still
// write is not waited for.
func TestOutputOfCancelled(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		var out bytes.Buffer
		c := shell("head -c 50000 /dev/zero; sleep 60 & echo $! >&2; kill -STOP $$")
		c.Stdout, c.Grace, c.WaitDelay = &out, -1, -1
		errs := must(c.StderrPipe(ctx))(t)
		defer errs.Close()
		timed, release := await.WithTimeout(ctx, time.Hour)
		want(t, "Start", c.Start(timed), nil)
		pid := must(errs.ReadLine(ctx))(t)
		release()
		if err := c.Wait(ctx); status(err) != -int(syscall.SIGKILL) || out.Len() != 50000 {
			t.Errorf("Wait: %v, and %d bytes, want SIGKILL and 50000", err, out.Len())
		}
		kill(t, pid)
	})
}

// kill ends a process that the test's child has left.
func kill(t *testing.T, pid string) {
	t.Helper()
	if out, err := exec.Command("kill", strings.TrimSpace(pid)).CombinedOutput(); err != nil {
		t.Errorf("kill %q: %v, %s", pid, err, out)
	}
}

// After a cancel no process of a Group is left.
func TestGroup(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done' & wait")
		c.Group = true
		out := must(c.StdoutPipe(ctx))(t)
		defer out.Close()
		timed, release := await.WithTimeout(ctx, time.Hour)
		want(t, "Start", c.Start(timed), nil)
		if line, err := out.ReadLine(ctx); line != "ready" {
			t.Errorf("the child says %q, %v", line, err)
		}
		release()
		if err := c.Wait(ctx); status(err) != -int(syscall.SIGTERM) {
			t.Errorf("Wait: %v, want SIGTERM", err)
		}
		// The end of the pipe says that the grandchild has gone as well.
		if _, err := out.ReadAll(ctx, 100); err != nil {
			t.Error(err)
		}
	})
}
