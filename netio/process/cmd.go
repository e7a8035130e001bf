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

// DefaultGrace and DefaultWaitDelay are used if Grace and WaitDelay of a Cmd are zero.
const (
	DefaultGrace     = 5 * time.Second
	DefaultWaitDelay = 5 * time.Second
)

// A Cmd is a program to run as a child process, like the Cmd of package os/exec. Set its
// fields before Start. A Cmd can be started once.
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

	// Stdin is the standard input of the child. If Stdin is nil, the child reads from
	// os.DevNull. If Stdin is an *os.File, the child gets that file. Otherwise a task reads
	// Stdin and writes to a pipe, until Stdin or the child ends. The loop itself reads from
	// a bytes.Buffer, bytes.Reader or strings.Reader. All other readers may wait, so they
	// are read on a goroutine of the executor. If a Read has not returned when the child
	// ends, its goroutine is left alone.
	Stdin io.Reader

	// Stdout and Stderr are the standard output and standard error of the child. If one is
	// nil, the child writes to os.DevNull. If one is an *os.File, the child gets that file.
	// Otherwise a task reads a pipe and writes to Stdout or Stderr. The loop itself writes
	// to a bytes.Buffer, a strings.Builder or io.Discard. All other writers may wait, so
	// they are called on a goroutine of the executor. As in package os/exec, both share one
	// pipe if they are the same writer, of a type that can be compared. Then only one Write
	// is called at a time.
	Stdout io.Writer
	Stderr io.Writer

	// Group makes the child the leader of its own process group. Signal, Terminate and Kill
	// then go to the whole group. When the ctx of Start ends, no process of the group is
	// left. Ctrl-C on a terminal does not reach the group. On systems other than UNIX, Start
	// fails with errors.ErrUnsupported.
	Group bool

	// Cancel is called instead of Terminate when the ctx of Start ends. It must not switch.
	// If Cancel returns an error, the child is killed at once, and Wait returns the error
	// unless the child has failed. The errors os.ErrProcessDone and net.ErrClosed are
	// ignored, so Cancel can be the Close method of a stream.
	Cancel func() error

	// Grace is how long the child may go on after Terminate or Cancel, on the loop's clock.
	// Then it is killed. Zero means DefaultGrace. If Grace is negative, the child is killed
	// at once.
	Grace time.Duration

	// WaitDelay limits how long Wait goes on reading after the exit of the child. It is
	// needed because a process that the child has started may hold the pipes of Stdout and
	// Stderr. After this time the error is exec.ErrWaitDelay, unless the child has failed. Zero
	// means DefaultWaitDelay; a negative WaitDelay means no limit. If the ctx of Start has
	// ended, Wait also stops reading when nothing has come for 100 ms.
	WaitDelay time.Duration

	// Process is the child after Start. Use it for its Pid; to signal the child or to wait
	// for it, use the methods of Cmd. ProcessState is set when the child has ended.
	Process      *os.Process
	ProcessState *os.ProcessState

	// Err is the error of Command if it did not find the program. Start returns it. See
	// exec.ErrDot.
	Err error

	started   bool
	child     *child
	childEnds []*os.File      // the child's ends of the pipes, closed by Start
	ourEnds   []*netio.Stream // the other ends, closed if Start fails

	// The streams of the methods of the same name, or nil.
	stdinPipe, stdoutPipe, stderrPipe *netio.Stream
}

// Command returns a Cmd that runs the named program. If name has no path separators, Command
// searches for the program as exec.LookPath does. Command starts nothing.
func Command(name string, arg ...string) *Cmd {
	c := exec.Command(name, arg...)
	return &Cmd{Path: c.Path, Args: c.Args, Err: c.Err}
}

// exec returns c as an exec.Cmd without Stdin, Stdout and Stderr.
func (c *Cmd) exec() *exec.Cmd {
	return &exec.Cmd{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, ExtraFiles: c.ExtraFiles,
		SysProcAttr: c.SysProcAttr, Err: c.Err,
	}
}

// String returns the command as text for people, as the String method of exec.Cmd does.
func (c *Cmd) String() string { return c.exec().String() }

// Environ returns the environment in which the command would run now.
func (c *Cmd) Environ() []string { return c.exec().Environ() }

// name returns a short name for reports.
func (c *Cmd) name() string {
	if len(c.Args) > 0 {
		return filepath.Base(c.Args[0])
	}
	return filepath.Base(c.Path)
}

// Start starts the child. Like a task, the child belongs to the scope of ctx: the scope does
// not end before the child. When ctx ends, by a cancel or a deadline, the child is asked to
// terminate (SIGTERM, or Cancel), killed after Grace, and waited for. A child that fails
// does not fail the scope: Wait returns its error.
//
// Start returns when the program runs. If it cannot be started, Start returns the error of
// package os/exec, and there is no child. If ctx ends during Start, the child is killed and
// waited for, and the error is a [*task.Canceled]. Start forks on a goroutine of the
// executor, so the loop goes on. In a simulated world the error is errors.ErrUnsupported.
//
// A Cmd can be started once, even if Start fails: make another Cmd to try again.
func (c *Cmd) Start(ctx context.Context) error {
	if err := c.start(ctx); err != nil {
		return err
	}
	c.child.guardTask = task.Go(ctx, c.child.guard)
	c.child.guardTask.SetName("process." + c.name())
	return nil
}

// start starts the child. The caller must run the guard of the child.
func (c *Cmd) start(ctx context.Context) (err error) {
	r, err := task.Checkpoint(ctx)
	if c.started {
		if err == nil {
			err = errors.New("process: already started")
		}
		return err
	}
	defer func() { c.closePipes(err) }()
	c.started = true
	if err != nil {
		return err
	}
	if r.Loop().Poller().Caps().Has(poll.Virtual) {
		return fmt.Errorf("process: start %s: a simulated world has no child processes: %w", c.name(), errors.ErrUnsupported)
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
	c.child = &child{loop: r.Loop(), cmd: c, pumps: pumps}
	c.child.observe()
	if err := task.Check(ctx); err != nil {
		c.child.discard(ctx)
		return err
	}
	return nil
}

// closePipes closes the child's ends of the pipes, and after an error also the other ends.
func (c *Cmd) closePipes(err error) {
	for _, f := range c.childEnds {
		_ = f.Close()
	}
	for _, s := range c.ourEnds {
		if err != nil {
			_ = s.Close() // fails if the user has closed it
		}
	}
	c.childEnds, c.ourEnds = nil, nil
}

// Wait waits until the child has ended and its output is in Stdout and Stderr, but not longer
// than WaitDelay after the end. The error is nil if the child has
// succeeded, and an [*exec.ExitError] if the child has failed. If the child has succeeded but
// reading Stdin or writing to Stdout or Stderr has failed, Wait returns that error. Every
// task of the loop may call Wait, any number of times, and gets the same error. A cancel of
// ctx only ends the call, with a [*task.Canceled]. It does not end the child unless ctx is
// also the ctx of Start.
//
// Wait does not wait for the streams of StdinPipe, StdoutPipe and StderrPipe, and does not
// close them.
func (c *Cmd) Wait(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if c.child == nil {
		return errNotStarted
	}
	c.child.mustOwn(r)
	if err := c.child.until(ctx, func() bool { return c.child.done }); err != nil {
		return err
	}
	return c.child.err
}

var errNotStarted = errors.New("process: not started")

// Run starts the command and waits until it ends. If ctx is cancelled, Run ends the child as
// [Cmd.Start] does, and still returns after the child has ended. It returns the errors of
// Start and Wait.
func (c *Cmd) Run(ctx context.Context) error { return c.run(ctx) }

// run is Run with more pumps.
func (c *Cmd) run(ctx context.Context, more ...pump) error {
	if err := c.start(ctx); err != nil {
		return err
	}
	c.child.pumps = append(c.child.pumps, more...)
	if err := c.child.guard(ctx); err != nil {
		return err
	}
	return c.child.err
}

// Signal sends a signal to the child, or to its process group if Group is set. After the end
// of the child the error is os.ErrProcessDone.
func (c *Cmd) Signal(sig os.Signal) error {
	if c.child == nil {
		return errNotStarted
	}
	c.child.mustHold("Signal")
	return c.child.signal(sig)
}

// Terminate asks the child to end, by SIGTERM. Where there is no SIGTERM it calls Kill.
func (c *Cmd) Terminate() error { return c.Signal(terminate) }

// Kill ends the child at once.
func (c *Cmd) Kill() error { return c.Signal(os.Kill) }
