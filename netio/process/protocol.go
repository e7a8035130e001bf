// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"

	"baton/netio"
	"baton/netio/protocol"
	"baton/task"
)

// A Protocol receives the output and the end of a child, in the callback style of package
// protocol. The loop calls its methods on its own goroutine, one at a time. They must not
// switch. To control the flow of the child's input, also implement
// [protocol.FlowController]. Protocol is the SubprocessProtocol of PEP 3156.
//
// If a method panics, the loop's exception handler receives the panic, and the transport is
// closed.
type Protocol interface {
	// ConnectionMade is the first call, when the child runs.
	ConnectionMade(t *Transport)

	// PipeDataReceived is called with what the child has written to its standard output
	// (fd 1) or standard error (fd 2). Data is valid until the call returns.
	PipeDataReceived(fd int, data []byte)

	// PipeConnectionLost is called once for each pipe, when it has ended. Fd is 0, 1 or 2.
	// Err is nil or says why the pipe has ended, as for ConnectionLost of package protocol.
	PipeConnectionLost(fd int, err error)

	// ProcessExited is called once, when the child has ended. Pipes may end before that.
	// They may also bring more data after that, because another process may hold them.
	ProcessExited()

	// ConnectionLost is the last call, after ProcessExited and the end of all pipes.
	ConnectionLost()
}

// A Transport is a child and its pipes, as a Protocol uses them. It belongs to the loop.
type Transport struct {
	cmd      *Cmd
	protocol Protocol
	pipes    [3]*protocol.Transport
	open     int  // how many of the process and its pipes have not ended
	failed   bool // Connect has failed before ConnectionMade
}

// Connect starts the command for a protocol. It creates a pipe for each of Stdin, Stdout and
// Stderr that is nil. ConnectionMade has returned when Connect returns. As with [Cmd.Start],
// the child belongs to the scope of ctx; the scope does not end before ConnectionLost was
// called. If Connect fails after the start of the child, it ends the child. If ConnectionMade
// was called before that, the other methods are called as well.
//
// Connect is the subprocess_exec of PEP 3156.
func (c *Cmd) Connect(ctx context.Context, p Protocol) (*Transport, error) {
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, err
	}
	if c.stdinPipe != nil || c.stdoutPipe != nil || c.stderrPipe != nil {
		return nil, errors.New("process: Connect after StdinPipe, StdoutPipe or StderrPipe")
	}
	if err := c.startWithPipes(ctx); err != nil {
		return nil, err
	}
	t := &Transport{cmd: c, protocol: p, open: 1}
	err := t.attach(ctx)
	if err == nil {
		c.child.loop.CallSoon(t.begin)
		err = c.child.until(ctx, func() bool { return c.child.transport != nil })
	}
	if err != nil {
		t.failed = c.child.transport == nil // then no method of the protocol is called
		t.Close()
		return nil, err
	}
	return t, nil
}

// startWithPipes starts the command with a pipe for each of its files that is not set.
func (c *Cmd) startWithPipes(ctx context.Context) (err error) {
	if c.Stdin == nil {
		_, err = c.StdinPipe(ctx)
	}
	if c.Stdout == nil && err == nil {
		_, err = c.StdoutPipe(ctx)
	}
	if c.Stderr == nil && err == nil {
		_, err = c.StderrPipe(ctx)
	}
	if err != nil {
		c.closePipes(err)
		return err
	}
	return c.Start(ctx)
}

// attach makes transports of the pipes. They do not read before ConnectionMade was called.
func (t *Transport) attach(ctx context.Context) error {
	for fd, s := range []*netio.Stream{t.cmd.stdinPipe, t.cmd.stdoutPipe, t.cmd.stderrPipe} {
		if s == nil {
			continue
		}
		d, err := s.Detach(ctx)
		if err != nil {
			return err
		}
		if t.pipes[fd], err = protocol.Attach(ctx, d, &side{t, fd}); err != nil {
			return err
		}
		t.open++
	}
	return nil
}

// begin calls ConnectionMade, on the loop's goroutine.
func (t *Transport) begin() {
	if t.failed {
		return
	}
	defer func() { // runs also if ConnectionMade panics
		c := t.cmd.child
		c.transport = t
		c.changed.WakeAll()
		for _, pipe := range t.pipes {
			if pipe != nil {
				pipe.ResumeReading()
			}
		}
		if c.reaped {
			c.loop.CallSoon(t.exit)
		}
	}()
	t.call(func() { t.protocol.ConnectionMade(t) })
}

// exit calls ProcessExited, on the loop's goroutine.
func (t *Transport) exit() {
	defer t.finish()
	t.open--
	t.call(t.protocol.ProcessExited)
}

// finish calls ConnectionLost if the child and all its pipes have ended.
func (t *Transport) finish() {
	if t.open == 0 {
		t.cmd.child.changed.WakeAll()
		t.call(t.protocol.ConnectionLost)
	}
}

// call calls a method of the protocol. If the method panics, call closes the transport and
// passes the panic on, to the exception handler of the loop.
func (t *Transport) call(method func()) {
	returned := false
	defer func() {
		if !returned {
			t.Close()
		}
	}()
	method()
	returned = true
}

// Cmd returns the command. Use it to signal the child, to wait for it, and for its Process and
// ProcessState.
func (t *Transport) Cmd() *Cmd { return t.cmd }

// Pipe returns the transport of one pipe: the standard input of the child for fd 0, which the
// program writes to, its standard output for 1, and its standard error for 2. Pipe returns
// nil if there is no such pipe.
func (t *Transport) Pipe(fd int) *protocol.Transport { return t.pipes[fd] }

// Close closes the pipes, and ends the child as a cancel does: the child is asked to
// terminate, and killed after Grace. Data that was written to the input is still sent if the
// child reads it. A second Close does nothing.
func (t *Transport) Close() {
	t.cmd.child.mustHold("Transport.Close")
	for fd, s := range []*netio.Stream{t.cmd.stdinPipe, t.cmd.stdoutPipe, t.cmd.stderrPipe} {
		if t.pipes[fd] != nil {
			t.pipes[fd].Close()
		} else if s != nil {
			_ = s.Close() // Connect has failed before it made a transport
		}
	}
	t.cmd.child.guardTask.Cancel(nil)
}

// A side is the protocol.Protocol and protocol.FlowController of one pipe.
type side struct {
	t  *Transport
	fd int
}

// ConnectionMade stops reading until the Protocol's ConnectionMade was called.
func (s *side) ConnectionMade(pipe *protocol.Transport) { pipe.PauseReading() }

// DataReceived passes data on. It is never called for a pipe that writes.
func (s *side) DataReceived(data []byte) {
	s.t.call(func() { s.t.protocol.PipeDataReceived(s.fd, data) })
}

// ConnectionLost passes the end of the pipe on.
func (s *side) ConnectionLost(err error) {
	switch {
	case s.t.failed: // Connect has failed before ConnectionMade
		return
	case s.t.cmd.child.transport == nil:
		// A cancel of the scope has ended the pipe, and Connect is shielded from the cancel.
		s.t.cmd.child.loop.CallSoon(func() { s.ConnectionLost(err) })
		return
	}
	s.t.open--
	defer s.t.finish()
	s.t.call(func() { s.t.protocol.PipeConnectionLost(s.fd, err) })
}

// PauseWriting and ResumeWriting are passed on if the Protocol is a FlowController.
func (s *side) PauseWriting() {
	if p, ok := s.t.protocol.(protocol.FlowController); ok {
		s.t.call(p.PauseWriting)
	}
}

func (s *side) ResumeWriting() {
	if p, ok := s.t.protocol.(protocol.FlowController); ok {
		s.t.call(p.ResumeWriting)
	}
}
