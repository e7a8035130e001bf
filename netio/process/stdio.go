// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"

	"baton/loop/poll"
	"baton/netio"
	"baton/task"
)

// StdinPipe returns a stream that writes to the standard input of the command. Call it before
// Start. Close the stream to end the input of the child, and in any case: only Communicate and a
// Start that fails close it. When the child has closed its end, Write fails with EPIPE. If the
// child has failed, [Cmd.Wait] says why. On systems and in worlds without pipes the error is
// errors.ErrUnsupported: see [WritePipe].
func (c *Cmd) StdinPipe(ctx context.Context) (*netio.Stream, error) {
	if c.Stdin != nil {
		return nil, errors.New("process: Stdin already set")
	}
	f, s, err := c.pipe(ctx, "stdin", poll.Write)
	if err != nil {
		return nil, err
	}
	c.Stdin, c.stdinPipe = f, s
	return s, nil
}

// StdoutPipe returns a stream that reads the standard output of the command. Call it before
// Start. A child that writes faster than the program reads has to wait. The user must close
// the stream; a Start that fails closes it. Unlike with package os/exec, the stream can still
// be read after Wait. On systems and in worlds without pipes the error is
// errors.ErrUnsupported: see [ReadPipe].
func (c *Cmd) StdoutPipe(ctx context.Context) (*netio.Stream, error) {
	if c.Stdout != nil {
		return nil, errors.New("process: Stdout already set")
	}
	f, s, err := c.pipe(ctx, "stdout", poll.Read)
	if err != nil {
		return nil, err
	}
	c.Stdout, c.stdoutPipe = f, s
	return s, nil
}

// StderrPipe is like StdoutPipe, for the standard error of the command.
func (c *Cmd) StderrPipe(ctx context.Context) (*netio.Stream, error) {
	if c.Stderr != nil {
		return nil, errors.New("process: Stderr already set")
	}
	f, s, err := c.pipe(ctx, "stderr", poll.Read)
	if err != nil {
		return nil, err
	}
	c.Stderr, c.stderrPipe = f, s
	return s, nil
}

// pipe makes a pipe before Start. See newPipe.
func (c *Cmd) pipe(ctx context.Context, what string, kind poll.Kind) (*os.File, *netio.Stream, error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, nil, err
	}
	if c.started {
		return nil, nil, errors.New("process: " + what + " pipe after Start")
	}
	return c.newPipe(ctx, what, kind)
}

// newPipe makes a pipe, and returns the file for the child and the stream for the program.
// Kind says whether the stream reads or writes.
func (c *Cmd) newPipe(ctx context.Context, what string, kind poll.Kind) (*os.File, *netio.Stream, error) {
	theirs, ours, err := newPipe()
	if err != nil {
		return nil, nil, err
	}
	if kind == poll.Read {
		theirs, ours = ours, theirs
	}
	s, err := openPipe(ctx, ours, kind, what+" of "+c.name())
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	c.childEnds, c.ourEnds = append(c.childEnds, theirs), append(c.ourEnds, s)
	return theirs, s, nil
}

// connect sets the files of the command, and returns the pumps for those that are pipes.
func (c *Cmd) connect(ctx context.Context, command *exec.Cmd) ([]pump, error) {
	var pumps []pump
	if f, ok := c.Stdin.(*os.File); ok {
		command.Stdin = f
	} else if c.Stdin != nil {
		f, s, err := c.newPipe(ctx, "stdin", poll.Write)
		if err != nil {
			return nil, err
		}
		command.Stdin = f
		pumps = append(pumps, feeder(s, c.Stdin))
	}
	output := func(what string, w io.Writer) (io.Writer, error) {
		switch w := w.(type) {
		case nil:
			return nil, nil
		case *os.File:
			return w, nil
		}
		f, s, err := c.newPipe(ctx, what, poll.Read)
		if err != nil {
			return nil, err
		}
		pumps = append(pumps, collector(s, w))
		return f, nil
	}
	var err error
	if command.Stdout, err = output("stdout", c.Stdout); err != nil {
		return nil, err
	}
	if c.Stderr != nil && same(c.Stderr, c.Stdout) {
		command.Stderr = command.Stdout
		return pumps, nil
	}
	command.Stderr, err = output("stderr", c.Stderr)
	return pumps, err
}

// same reports whether a and b are the same writer. It returns false if their type cannot be
// compared.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // == panics for such a type
	return a == b
}
