// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"baton/netio"
	"baton/task"
)

// excerptBytes is how much of the beginning, and how much of the end, of Stderr an ExitError
// keeps.
const excerptBytes = 32 << 10

// delay returns the WaitDelay; a negative one means no limit.
func (c *Cmd) delay() time.Duration {
	if c.WaitDelay == 0 {
		return DefaultWaitDelay
	}
	return c.WaitDelay
}

// Output runs the command and returns its standard output, also if there is an error. If
// Stderr is nil and the error is an [*exec.ExitError], the Stderr of the error holds the
// beginning and the end of the standard error. Otherwise Output is like Run.
func (c *Cmd) Output(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("process: Stdout already set")
	}
	var stdout bytes.Buffer
	var stderr excerpt
	c.Stdout = &stdout
	captured := c.Stderr == nil
	if captured {
		c.Stderr = &stderr
	}
	err := c.Run(ctx)
	if failed, ok := err.(*exec.ExitError); ok && captured {
		failed.Stderr = stderr.bytes()
	}
	return stdout.Bytes(), err
}

// CombinedOutput runs the command and returns its standard output and standard error in one
// slice, also if there is an error. Otherwise it is like Run.
func (c *Cmd) CombinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("process: Stdout or Stderr already set")
	}
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run(ctx)
	return both.Bytes(), err
}

// Communicate writes input to the standard input of the command and closes it. At the same
// time it reads the outputs of the command to their ends. Then it waits until the child has
// ended. It returns the outputs also if there is an error. It is no error if the child does
// not read its input.
//
// If the command was not started, Communicate runs it as Run does. If the command was
// started, Communicate uses the streams that StdinPipe, StdoutPipe and StderrPipe have
// returned, and closes them. A cancel then ends only the call, unless ctx is also the ctx
// of Start: what was not read stays in the streams, and the child goes on. Another
// Communicate, with a nil input, then returns the rest.
//
// If the program has set Stdin, input must be empty. For an output that the program has set,
// Communicate returns nil.
func (c *Cmd) Communicate(ctx context.Context, input []byte) (stdout, stderr []byte, err error) {
	if c.Stdin != nil && c.stdinPipe == nil && len(input) > 0 {
		return nil, nil, errors.New("process: Stdin already set")
	}
	var out, errs bytes.Buffer
	pumps := c.pumps(input, &out, &errs)
	if c.child != nil {
		err = c.exchange(ctx, pumps)
		return out.Bytes(), errs.Bytes(), err
	}
	if c.Stdin == nil && len(input) > 0 {
		c.Stdin = bytes.NewReader(input)
	}
	if c.Stdout == nil {
		c.Stdout = &out
	}
	if c.Stderr == nil {
		c.Stderr = &errs
	}
	err = c.run(ctx, pumps...)
	return out.Bytes(), errs.Bytes(), err
}

// pumps returns the pumps for the streams of StdinPipe, StdoutPipe and StderrPipe.
func (c *Cmd) pumps(input []byte, out, errs *bytes.Buffer) (pumps []pump) {
	if c.stdinPipe != nil {
		pumps = append(pumps, feeder(c.stdinPipe, bytes.NewReader(input)))
	}
	if c.stdoutPipe != nil {
		pumps = append(pumps, collector(c.stdoutPipe, out))
	}
	if c.stderrPipe != nil {
		pumps = append(pumps, collector(c.stderrPipe, errs))
	}
	return pumps
}

// forget makes later calls of Communicate skip a stream that a pump has closed.
func (c *Cmd) forget(s *netio.Stream) {
	for _, pipe := range []**netio.Stream{&c.stdinPipe, &c.stdoutPipe, &c.stderrPipe} {
		if *pipe == s {
			*pipe = nil
		}
	}
}

// exchange runs the pumps of a Communicate whose child was started before.
func (c *Cmd) exchange(ctx context.Context, pumps []pump) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	c.child.mustOwn(r)
	err = c.child.transfer(ctx, pumps, func(ctx context.Context) error {
		return c.child.until(ctx, func() bool { return c.child.reaped })
	})
	if isCancel(err) {
		return err
	}
	for _, p := range pumps {
		_ = p.stream.Close() // fails if it is closed
	}
	if failed := c.Wait(ctx); failed != nil {
		return failed
	}
	return err
}

// An excerpt is an io.Writer that keeps the beginning and the end of what is written.
type excerpt struct {
	head, tail []byte
	skipped    int
}

// Write implements io.Writer.
func (e *excerpt) Write(p []byte) (int, error) {
	n := len(p)
	free := min(excerptBytes-len(e.head), len(p))
	e.head, p = append(e.head, p[:free]...), p[free:]
	e.tail = append(e.tail, p...)
	if more := len(e.tail) - excerptBytes; more > 0 {
		e.skipped += more
		e.tail = append(e.tail[:0], e.tail[more:]...)
	}
	return n, nil
}

func (e *excerpt) bytes() []byte {
	all := bytes.Clone(e.head)
	if e.skipped > 0 {
		all = fmt.Appendf(all, "\n... %d bytes left out ...\n", e.skipped)
	}
	return append(all, e.tail...)
}
