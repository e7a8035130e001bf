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

// A child is a process that runs. It belongs to the loop.
type child struct {
	loop  *loop.Loop
	cmd   *Cmd
	pumps []pump

	guardian  *task.Ref  // the task of guard
	transport *Transport // of Connect, or nil

	notice notice         // of the exit
	cut    bool           // the ctx of Start has ended before the process
	zombie bool           // the process has ended
	exited bool           // and its state was collected
	done   bool           // and the pumps have ended, too
	err    error          // what Wait returns, then
	news   task.WaitQueue // for changes of these
}

func newChild(l *loop.Loop, c *Cmd, pumps []pump) *child {
	ch := &child{loop: l, cmd: c, pumps: pumps}
	ch.observe()
	return ch
}

// guard is the task of the child in the scope of Start. It returns the cancel that has
// ended the child: then the scope was cut short.
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
	c.news.WakeAll()
	_ = c.until(shielded, func() bool { return c.transport == nil || c.transport.lost })
	var panicked *task.PanicError
	if errors.As(failure, &panicked) || errors.As(err, &panicked) {
		return panicked
	}
	return canceled
}

// watch waits for the end of the process. If ctx ends before, it returns the cancel, and
// ends the process; failure is what Cancel has returned.
func (c *child) watch(ctx, shielded context.Context) (canceled, failure error) {
	ended := func() bool { return c.zombie }
	if canceled = c.until(ctx, ended); canceled == nil {
		return nil, nil
	}
	c.cut = true
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
		_ = c.signal(os.Kill) // fails if it is too late
	}
	_ = c.until(shielded, ended)
	return canceled, failure
}

// ask asks the process to end. Cancel runs in a task of its own, so that a panic or Goexit
// of it leaves the guard running.
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
		return nil // the end of the child was noticed, or asked for, before
	}
	return err
}

// discard ends a process that Start does not return.
func (c *child) discard(ctx context.Context) {
	shielded, release := task.Shield(ctx, -1)
	defer release()
	_ = c.signal(os.Kill)
	_ = c.until(shielded, func() bool { return c.zombie })
	c.reap()
	c.done = true
}

// reap collects the state of the process, which has ended: that does not wait.
func (c *child) reap() {
	state, err := c.notice.collect(c.cmd.Process)
	c.cmd.ProcessState = state
	switch {
	case err != nil:
		c.err = err
	case !state.Success():
		c.err = &exec.ExitError{ProcessState: state}
	}
	c.exited = true
	c.news.WakeAll()
	if c.transport != nil {
		c.loop.CallSoon(c.transport.exit)
	}
}

// until waits until a condition holds, which changes with c.news.
func (c *child) until(ctx context.Context, holds func() bool) error {
	for !holds() {
		if err := c.news.Wait(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// signal sends a signal to the process or its group, unless it was collected: the number
// may be that of another process then.
func (c *child) signal(sig os.Signal) error {
	if c.exited {
		return os.ErrProcessDone
	}
	if c.cmd.Group {
		return signalGroup(c.cmd.Process.Pid, sig)
	}
	return c.cmd.Process.Signal(sig)
}

// Complete and Wake take the notice of the exit, from the poller or from a goroutine. They
// are the loop's to call.
func (c *child) Complete(*poll.Op) { c.end() }
func (c *child) Wake()             { c.end() }

func (c *child) end() {
	c.notice.close(c.loop)
	c.zombie = true
	c.news.WakeAll()
}

// mustBe panics unless r is a task of the loop.
func (c *child) mustBe(r *task.Ref) {
	if r.Loop() != c.loop {
		misuse("%v of %v waits for %v of %v; use a Portal between loops", r, r.Loop(), c, c.loop)
	}
}

// held panics unless the caller may use the child: it has the baton, or the loop does not
// run.
func (c *child) held(call string) {
	if word := c.loop.Driver().Holder(); !word.Held() && !word.Free() {
		misuse("%s of %v from a goroutine that does not hold the baton of %v; use a Portal", call, c, c.loop)
	}
}

func misuse(format string, args ...any) { panic("process: " + fmt.Sprintf(format, args...)) }

// String names the child, as in "process 1234 (cat)".
func (c *child) String() string {
	return fmt.Sprintf("process %d (%s)", c.cmd.Process.Pid, c.cmd.name())
}

// Reason and Owners are for reports.
func (c *child) Reason() string { return "the end of " + c.String() }

// Owners returns nil: no task of this loop.
func (c *child) Owners() []*task.Ref { return nil }
