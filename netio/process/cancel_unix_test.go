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

// When the scope of Start ends, the child is asked to end, and the scope waits for it.
func TestScopeEndsItsChild(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("trap 'echo asked; exit 9' TERM; echo ready; while :; do sleep 60 & wait; done")
		c.Group, c.Grace = true, time.Hour
		out := must(c.StdoutPipe(ctx))(t)
		defer out.Close()
		reason := errors.New("enough")
		err := task.Scope(ctx, func(ctx context.Context) error {
			if err := c.Start(ctx); err != nil {
				return err
			}
			if line, err := out.ReadLine(ctx); line != "ready" {
				t.Errorf("the child wrote %q, %v", line, err)
			}
			return reason
		})
		want(t, "the scope", err, reason)
		if c.ProcessState == nil {
			t.Fatal("the scope ended before the child")
		}
		if err := c.Wait(ctx); status(err) != 9 {
			t.Errorf("Wait: %v, want the status 9", err)
		}
		if rest, err := out.ReadAll(ctx, 100); string(rest) != "asked\n" || err != nil {
			t.Errorf("the rest of the output is %q, %v", rest, err)
		}
	})
}

// A child that ignores SIGTERM is killed after Grace.
func TestChildIsKilledAfterGrace(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		for _, grace := range []time.Duration{time.Millisecond, -1} {
			c := shell("trap '' TERM; echo ready; while :; do sleep 1; done")
			c.Grace, c.Group = grace, true
			out := must(c.StdoutPipe(ctx))(t)
			timed, release := await.WithTimeout(ctx, time.Hour)
			want(t, "Start", c.Start(timed), nil)
			if line, err := out.ReadLine(ctx); line != "ready" {
				t.Errorf("the child wrote %q, %v", line, err)
			}
			release()
			if err := c.Wait(ctx); status(err) != -int(syscall.SIGKILL) {
				t.Errorf("grace %v: %v, want SIGKILL", grace, err)
			}
			out.Close()
		}
	})
}

// Cancel is called instead of SIGTERM. If Cancel fails or panics, the child is killed at once.
func TestCancelFunction(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		refused := errors.New("refused")
		for _, row := range []struct {
			cancel func(c *process.Cmd) error
			status int
		}{
			{func(c *process.Cmd) error { return c.Signal(syscall.SIGUSR1) }, -int(syscall.SIGUSR1)},
			{func(*process.Cmd) error { return refused }, -int(syscall.SIGKILL)},
		} {
			c := process.Command("sleep", "60")
			c.Cancel, c.Grace = func() error { return row.cancel(c) }, time.Hour
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
			t.Errorf("after a panic of Cancel: the scope returned %v, the state of the child is %v", err, c.ProcessState)
		} else {
			panicked.Report(ctx)
			task.Yield(ctx)
		}
		want(t, "the reported panic", reported, refused)
	})
}

// A child is not killed at once if Cancel closes a stream that is closed already.
func TestCancelFunctionClosesAgain(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("read line; exit 7")
		in := must(c.StdinPipe(ctx))(t)
		c.Grace = time.Hour
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

// A cancelled Run returns after the end of the child.
func TestCancelledRunWaitsForChild(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := process.Command("sleep", "60")
		err := await.Timeout(ctx, time.Millisecond, c.Run)
		want(t, "Run", err, context.DeadlineExceeded)
		if c.Process != nil && c.ProcessState == nil {
			t.Error("Run returned before the child had ended")
		}
	})
}

// If another process holds a pipe of the child, Wait returns WaitDelay after the exit, and
// reports it. Wait does not wait for a stream of StdoutPipe.
func TestWaitDelayWhileGrandchildHoldsPipe(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		var out bytes.Buffer
		leaving := func(script string) (c *process.Cmd, end func()) {
			c = shell("sleep 60 & " + script)
			c.Group, c.WaitDelay = true, time.Millisecond
			return c, func() { want(t, "Kill", syscall.Kill(-c.Process.Pid, syscall.SIGKILL), nil) }
		}
		c, end := leaving("exit 0")
		c.Stdout = &out
		want(t, "Run", c.Run(ctx), exec.ErrWaitDelay)
		end()

		c, end = leaving("exit 3")
		c.Stdout = &out
		if err := c.Run(ctx); status(err) != 3 {
			t.Errorf("Run: %v, want the status 3", err)
		}
		end()

		c, end = leaving("echo line")
		s := must(c.StdoutPipe(ctx))(t)
		defer s.Close()
		want(t, "Run", c.Run(ctx), nil)
		if line, err := s.ReadLine(ctx); line != "line" || err != nil {
			t.Errorf("ReadLine: %q, %v", line, err)
		}
		end()

		c, end = leaving("exit 0")
		_, _, err := c.Communicate(ctx, nil)
		want(t, "Communicate", err, exec.ErrWaitDelay)
		end()
	})
}

// After a cancel, Wait reads what the child has written, but does not wait for what another
// process may still write.
func TestOutputOfCancelledChildIsRead(t *testing.T) {
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

// kill ends a process that the child of a test has left.
func kill(t *testing.T, pid string) {
	t.Helper()
	if out, err := exec.Command("kill", strings.TrimSpace(pid)).CombinedOutput(); err != nil {
		t.Errorf("kill %q: %v, %s", pid, err, out)
	}
}

// After a cancel, no process of a Group is left.
func TestCancelEndsGroup(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		c := shell("sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done' & wait")
		c.Group, c.Grace = true, time.Hour
		out := must(c.StdoutPipe(ctx))(t)
		defer out.Close()
		timed, release := await.WithTimeout(ctx, time.Hour)
		want(t, "Start", c.Start(timed), nil)
		if line, err := out.ReadLine(ctx); line != "ready" {
			t.Errorf("the child wrote %q, %v", line, err)
		}
		release()
		if err := c.Wait(ctx); status(err) != -int(syscall.SIGTERM) {
			t.Errorf("Wait: %v, want SIGTERM", err)
		}
		// The pipe ends when the grandchild has ended, too.
		if _, err := out.ReadAll(ctx, 100); err != nil {
			t.Error(err)
		}
	})
}
