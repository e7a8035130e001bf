// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"baton/await"
	"baton/loop/poll"
	"baton/netio"
	"baton/task"
)

// DefaultGrace is the Grace of a Cmd that has not said otherwise, and DefaultWaitDelay its
// WaitDelay.
const (
	DefaultGrace     = 5 * time.Second
	DefaultWaitDelay = 5 * time.Second
)

// A Cmd is a program to run as a child process, like that of package os/exec. Its fields
// are set before Start, and it is started once.
//
// A Cmd belongs to the loop of the task that starts it. Methods that take a ctx may switch;
// the others never do.
type Cmd struct {
	// Path, Args, Env, Dir, ExtraFiles and SysProcAttr are those of exec.Cmd.
	Path        string
	Args        []string
	Env         []string
	Dir         string
	ExtraFiles  []*os.File
	SysProcAttr *syscall.SysProcAttr

	// Stdin is what the child reads. If it is nil, the child reads from os.DevNull, and
	// an *os.File is given to the child as it is. Everything else is read by a task and
	// written to a pipe until the end of Stdin, or of the child. Reads from a
	// bytes.Buffer, bytes.Reader or strings.Reader are made by the loop, and all others on
	// a goroutine of the executor, since they may wait. If a Read does not return, its
	// goroutine is left alone after the end of the child.
	Stdin io.Reader

	// Stdout and Stderr are where the child writes. If one is nil, that is os.DevNull, and
	// an *os.File is given to the child as it is. Everything else is read by a task from
	// a pipe, and written there. Writes to a bytes.Buffer, a strings.Builder or io.Discard
	// are made by the loop, and all others on a goroutine of the executor, as with
	// package os/exec. If both are the same, of a type that can be compared, they share
	// one pipe, and one Write is made at a time.
	Stdout io.Writer
	Stderr io.Writer

	// Group makes the child the leader of a process group of its own. Signal, Terminate
	// and Kill then go to all of the group, and so does the end of the ctx of Start,
	// after which no process of the group is left. Ctrl-C on a terminal does not reach the
	// group. On systems not of the UNIX sort, Start fails with errors.ErrUnsupported.
	Group bool

	// Cancel is called in place of Terminate when the ctx of Start ends. It must not
	// switch. If it returns an error other than os.ErrProcessDone or net.ErrClosed, the child
	// is killed at once, and Wait returns the error unless the child has failed.
	Cancel func() error

	// Grace is how long the child may go on after that, on the loop's clock. Then it is
	// killed. Zero is DefaultGrace; if Grace is negative, the child is killed at once.
	Grace time.Duration

	// WaitDelay bounds how long Wait goes on reading after the exit of the child: a
	// process that the child has started may hold the pipes of Stdout and Stderr. Then
	// the error is exec.ErrWaitDelay, unless the child has failed. Zero is
	// DefaultWaitDelay; negative is no bound. After the end of the ctx of Start, Wait
	// reads what is in the pipes, and also ends when nothing has come for 100 ms.
	WaitDelay time.Duration

	// Process is the child after Start. It is for its Pid: the methods of Cmd wait for it
	// and signal it. ProcessState is set when the child has ended.
	Process      *os.Process
	ProcessState *os.ProcessState

	// Err is the error of the search for the program, by Command, if any. Start returns
	// it. See exec.ErrDot.
	Err error

	started                           bool
	child                             *child
	inner                             []*os.File      // the child's ends of pipes, until Start
	ours                              []*netio.Stream // our ends, if Start fails
	stdinPipe, stdoutPipe, stderrPipe *netio.Stream   // of the methods
}

// Command returns a Cmd to run the named program. If name has no path separators, it is
// searched for as by exec.LookPath, when Command is called. Nothing is started.
func Command(name string, arg ...string) *Cmd {
	c := exec.Command(name, arg...)
	return &Cmd{Path: c.Path, Args: c.Args, Err: c.Err}
}

// exec returns c as package os/exec knows it, without Stdin, Stdout and Stderr.
func (c *Cmd) exec() *exec.Cmd {
	return &exec.Cmd{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, ExtraFiles: c.ExtraFiles,
		SysProcAttr: c.SysProcAttr, Err: c.Err,
	}
}

// String returns the command for people, as that of exec.Cmd does.
func (c *Cmd) String() string { return c.exec().String() }

// Environ returns the environment in which the command would run now.
func (c *Cmd) Environ() []string { return c.exec().Environ() }

// name is a short name for reports.
func (c *Cmd) name() string {
	if len(c.Args) > 0 {
		return filepath.Base(c.Args[0])
	}
	return filepath.Base(c.Path)
}

// Start starts the child. It belongs to the scope of ctx, as a task does: the scope does
// not end before the child, and when ctx ends, also by a deadline, the child is asked to
// terminate (SIGTERM, or Cancel), killed after Grace, and waited for. A failed child is
// no failure of the scope: Wait returns it.
//
// Start returns when the program runs, or with the error of package os/exec and without a
// child. If ctx ends meanwhile, the child is killed and waited for, and the error is the
// [*task.Canceled]. It forks on a goroutine of the executor, so the loop goes on. In a
// simulated world it is errors.ErrUnsupported.
func (c *Cmd) Start(ctx context.Context) error {
	if err := c.start(ctx); err != nil {
		return err
	}
	c.child.guardian = task.Go(ctx, c.child.guard)
	c.child.guardian.SetName("process." + c.name())
	return nil
}

// start starts the child. The caller runs its guard.
func (c *Cmd) start(ctx context.Context) (err error) {
	r, err := task.Checkpoint(ctx)
	if c.started {
		if err == nil {
			err = errors.New("process: already started")
		}
		return err
	}
	defer func() {
		c.closeInner()
		if err != nil {
			c.closeOurs()
		}
		c.ours = nil
	}()
	if err != nil {
		return err
	}
	c.started = true
	if r.Loop().Poller().Caps().Has(poll.Virtual) {
		return fmt.Errorf("process: start %s in %v: %w", c.name(), r.Loop(), errors.ErrUnsupported)
	}
	command := c.exec()
	if command.SysProcAttr, err = c.attributes(); err != nil {
		return err
	}
	pumps, err := c.connect(ctx, command)
	if err != nil {
		return err
	}
	c.Process, err = await.Blocking(ctx, func(context.Context) (*os.Process, error) {
		err := command.Start()
		return command.Process, err
	})
	if err != nil {
		return err
	}
	c.child = newChild(r.Loop(), c, pumps)
	if err := task.Check(ctx); err != nil {
		c.child.discard(ctx)
		return err
	}
	return nil
}

// closeInner closes the child's ends of the pipes.
func (c *Cmd) closeInner() {
	for _, f := range c.inner {
		_ = f.Close()
	}
	c.inner = nil
}

// closeOurs closes the other ends.
func (c *Cmd) closeOurs() {
	for _, s := range c.ours {
		_ = s.Close() // unless its user has
	}
	c.ours = nil
}

// Wait waits for the end of the child, and until everything that it has written is in
// Stdout and Stderr, but not longer than WaitDelay. The error is nil if the child has
// succeeded, and an [*exec.ExitError] if not; if reading Stdin or writing to Stdout or
// Stderr has failed, it is that error. Every task of the loop may call Wait, any number of
// times, and gets the same error. A cancel ends the call only, with a [*task.Canceled], and
// does nothing to the child unless ctx is also that of Start.
//
// Streams of StdinPipe, StdoutPipe and StderrPipe are not waited for and not closed.
func (c *Cmd) Wait(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if c.child == nil {
		return errNotStarted
	}
	c.child.mustBe(r)
	if err := c.child.until(ctx, func() bool { return c.child.done }); err != nil {
		return err
	}
	return c.child.err
}

var errNotStarted = errors.New("process: not started")

// Run starts the command and waits for its end. It does not return before the child has
// ended, also if ctx is cancelled. Errors are those of Start and Wait.
func (c *Cmd) Run(ctx context.Context) error {
	return c.run(ctx, func() []pump { return nil })
}

// run is Run with more pumps, which are made when the child was started.
func (c *Cmd) run(ctx context.Context, more func() []pump) error {
	if err := c.start(ctx); err != nil {
		return err
	}
	c.child.pumps = append(c.child.pumps, more()...)
	if err := c.child.guard(ctx); err != nil {
		return err
	}
	return c.child.err
}

// Signal sends a signal to the child, or to its Group. After its end the error is
// os.ErrProcessDone.
func (c *Cmd) Signal(sig os.Signal) error {
	if c.child == nil {
		return errNotStarted
	}
	c.child.held("Signal")
	return c.child.signal(sig)
}

// Terminate asks the child to end: SIGTERM, and where there is none, Kill.
func (c *Cmd) Terminate() error { return c.Signal(terminate) }

// Kill ends the child.
func (c *Cmd) Kill() error { return c.Signal(os.Kill) }
