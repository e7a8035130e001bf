// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"baton/task"
)

// excerptBytes is how much of the beginning and of the end of Stderr is in an error.
const excerptBytes = 32 << 10

// delay is the WaitDelay, or a negative time.
func (c *Cmd) delay() time.Duration {
	if c.WaitDelay == 0 {
		return DefaultWaitDelay
	}
	return c.WaitDelay
}

// Output runs the command and returns its standard output, beside an error too. If Stderr
// is nil and the error is an [*exec.ExitError], its Stderr has the beginning and the end of
// the standard error. Otherwise it is like Run.
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

// CombinedOutput runs the command and returns its standard output and standard error as
// one, beside an error too. Otherwise it is like Run.
func (c *Cmd) CombinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("process: Stdout or Stderr already set")
	}
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run(ctx)
	return both.Bytes(), err
}

// Communicate writes input to the standard input of the command and closes that, reads
// its output to the end, both at the same time, and waits for the end of the child. The
// outputs are returned beside an error, too. That the child does not read its input is no
// error.
//
// If the command was not started, Communicate runs it, like Run. Otherwise it uses the
// streams of StdinPipe, StdoutPipe and StderrPipe, as far as there are any, and closes
// them. A cancel then ends the call only, unless ctx is also that of Start: what was not
// read is still in the streams, and the child goes on.
//
// If Stdin is set otherwise, input must be empty. An output that is set otherwise is
// returned as nil.
func (c *Cmd) Communicate(ctx context.Context, input []byte) (stdout, stderr []byte, err error) {
	if c.Stdin != nil && c.stdinPipe == nil && len(input) > 0 {
		return nil, nil, errors.New("process: Stdin already set")
	}
	var out, errs bytes.Buffer
	pumps := func() []pump { return c.pumps(input, &out, &errs) }
	if c.child != nil {
		err = c.exchange(ctx, pumps())
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
	err = c.run(ctx, pumps)
	return out.Bytes(), errs.Bytes(), err
}

// pumps returns those for the streams of StdinPipe, StdoutPipe and StderrPipe.
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

// exchange is Communicate of a child that was started.
func (c *Cmd) exchange(ctx context.Context, pumps []pump) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	c.child.mustBe(r)
	err = c.child.transfer(ctx, pumps, func(ctx context.Context) error {
		return c.child.until(ctx, func() bool { return c.child.exited })
	})
	if isCancel(err) {
		return err
	}
	for _, p := range pumps {
		_ = p.stream.Close() // unless it is closed
	}
	if failed := c.Wait(ctx); failed != nil {
		return failed
	}
	return err
}

// An excerpt keeps the beginning and the end of what is written to it.
type excerpt struct {
	head, tail []byte
	skipped    int
}

// Write makes it an io.Writer.
func (e *excerpt) Write(p []byte) (int, error) {
	n := len(p)
	room := min(excerptBytes-len(e.head), len(p))
	e.head, p = append(e.head, p[:room]...), p[room:]
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
