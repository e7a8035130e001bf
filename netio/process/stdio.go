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

// StdinPipe returns a stream that writes to the standard input of the command. It is
// called before Start. The child finds the end of its input when the stream is closed.
// Once the child reads no more, Write fails with EPIPE. The stream must be closed; if
// Start fails, it is closed. Without pipes it is errors.ErrUnsupported: see [WritePipe].
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

// StdoutPipe returns a stream that reads the standard output of the command. It is called
// before Start. A child that writes faster than the program reads is made to wait. The
// stream must be closed; if Start fails, it is closed. Unlike that of package os/exec it
// can be read after Wait, too. Without pipes it is errors.ErrUnsupported: see [ReadPipe].
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

// StderrPipe is StdoutPipe for the standard error of the command.
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

// pipe makes a pipe of which the child gets one end. Kind is what the other end does.
func (c *Cmd) pipe(ctx context.Context, what string, kind poll.Kind) (*os.File, *netio.Stream, error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, nil, err
	}
	if c.started {
		return nil, nil, errors.New("process: " + what + " pipe after Start")
	}
	return c.newPipe(ctx, what, kind)
}

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
	c.inner, c.ours = append(c.inner, theirs), append(c.ours, s)
	return theirs, s, nil
}

// connect gives the command its files, and returns the pumps for those that are pipes.
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

// same reports whether both writers are one, as far as they can be compared.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // of a type that cannot
	return a == b
}
