// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"

	"baton/await"
	"baton/loop"
	"baton/loop/poll"
	"baton/task"
)

// A child is a process that was started. It belongs to the loop.
type child struct {
	loop  *loop.Loop
	cmd   *Cmd
	pumps []pump

	guardTask *task.Ref  // the task of guard; nil if Run calls guard
	transport *Transport // of Connect; nil before ConnectionMade has returned

	notice exitNotice

	// These fields change during the life of the child, in this order. Each change wakes
	// changed.
	canceled bool  // the ctx of Start has ended before the process
	zombie   bool  // the process has ended
	reaped   bool  // its state was collected; another process may get its number
	done     bool  // the pumps have ended, too
	err      error // what Wait returns once done is set
	changed  task.WaitQueue
}

// guard waits for the child, ends it when ctx ends, and cleans up. If a cancel has ended the
// child, guard returns the cancel, so that the scope returns it too: the work is not complete.
func (c *child) guard(ctx context.Context) error {
	shielded, release := task.Shield(ctx, -1)
	defer release()
	var canceled, failure error
	err := c.transfer(shielded, c.pumps, func(context.Context) error {
		canceled, failure = c.watch(ctx, shielded)
		c.reap()
		return nil
	})
	for _, p := range c.pumps {
		_ = p.stream.Close()
	}
	if c.err == nil {
		c.err = failure
	}
	if c.err == nil {
		c.err = err
	}
	c.done = true
	c.changed.WakeAll()
	_ = c.until(shielded, func() bool { return c.transport == nil || c.transport.open == 0 })
	var panicked *task.PanicError
	if errors.As(failure, &panicked) || errors.As(err, &panicked) {
		return panicked
	}
	return canceled
}

// watch waits until the process has ended. If ctx ends before, watch ends the process and
// returns the cancel; failure is then the error of the function Cancel.
func (c *child) watch(ctx, shielded context.Context) (canceled, failure error) {
	ended := func() bool { return c.zombie }
	if canceled = c.until(ctx, ended); canceled == nil {
		return nil, nil
	}
	c.canceled = true
	grace := c.cmd.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	if grace > 0 {
		if failure = c.ask(shielded); failure == nil {
			timed, release := await.WithTimeout(shielded, grace)
			_ = c.until(timed, ended)
			release()
		}
	}
	if !c.zombie || c.cmd.Group {
		_ = c.signal(os.Kill) // fails if no process is left
	}
	_ = c.until(shielded, ended)
	return canceled, failure
}

// ask asks the process to end. Cancel runs in its own task, so that the guard survives a
// panic or a Goexit of Cancel.
func (c *child) ask(ctx context.Context) error {
	cancel := c.cmd.Cancel
	if cancel == nil {
		cancel = c.cmd.Terminate
	}
	err := task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, func(context.Context) error { return cancel() }).SetName("process.Cancel")
		return nil
	})
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, net.ErrClosed) {
		return nil // the child has ended, or was asked to end before
	}
	return err
}

// discard kills and reaps the process of a Start that fails.
func (c *child) discard(ctx context.Context) {
	shielded, release := task.Shield(ctx, -1)
	defer release()
	_ = c.signal(os.Kill)
	_ = c.until(shielded, func() bool { return c.zombie })
	c.reap()
	c.done = true
}

// reap collects the state of the process. It does not block, because the process has ended.
func (c *child) reap() {
	state, err := c.notice.collect(c.cmd.Process)
	c.cmd.ProcessState = state
	switch {
	case err != nil:
		c.err = err
	case !state.Success():
		c.err = &exec.ExitError{ProcessState: state}
	}
	c.reaped = true
	c.changed.WakeAll()
	if c.transport != nil {
		c.loop.CallSoon(c.transport.exit)
	}
}

// until waits until the condition holds. Every change of the condition must wake c.changed.
func (c *child) until(ctx context.Context, holds func() bool) error {
	for !holds() {
		if err := c.changed.Wait(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// signal sends a signal to the process or its group. It does nothing after reap, because the
// number may then belong to another process.
func (c *child) signal(sig os.Signal) error {
	if c.reaped {
		return os.ErrProcessDone
	}
	if c.cmd.Group {
		return signalGroup(c.cmd.Process.Pid, sig)
	}
	return c.cmd.Process.Signal(sig)
}

// Complete and Wake report the end of the process. The loop calls Complete for the operation
// of a poller, and Wake for a goroutine that waits for the process.
func (c *child) Complete(*poll.Op) { c.end() }
func (c *child) Wake()             { c.end() }

func (c *child) end() {
	c.notice.close(c.loop)
	c.zombie = true
	c.changed.WakeAll()
}

// mustOwn panics unless r is a task of the child's loop.
func (c *child) mustOwn(r *task.Ref) {
	if r.Loop() != c.loop {
		misuse("%v of %v waits for %v, which belongs to %v; use a task.Portal between loops", r, r.Loop(), c, c.loop)
	}
}

// mustHold panics unless the caller holds the baton or the loop does not run.
func (c *child) mustHold(call string) {
	if word := c.loop.Driver().Holder(); !word.Held() && !word.Free() {
		misuse("%s of %v was called from a goroutine that does not hold the baton of %v; use a task.Portal", call, c, c.loop)
	}
}

func misuse(format string, args ...any) { panic("process: " + fmt.Sprintf(format, args...)) }

// String returns a name such as "process 1234 (cat)".
func (c *child) String() string {
	return fmt.Sprintf("process %d (%s)", c.cmd.Process.Pid, c.cmd.name())
}

// Reason and Owners make a child a task.Reason, for reports of tasks that wait for it.
func (c *child) Reason() string { return "the end of " + c.String() }

// Owners returns nil, because no task of this loop ends the wait.
func (c *child) Owners() []*task.Ref { return nil }
