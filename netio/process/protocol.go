// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"

	"baton/netio"
	"baton/netio/protocol"
	"baton/task"
)

// A Protocol is called when something happens to a child, in the style of package
// protocol: its methods run on the loop's goroutine, one at a time, and must not switch.
// It may be a [protocol.FlowController], for the input of the child. PEP 3156's
// SubprocessProtocol.
//
// A panic in a method is given to the loop's exception handler, and closes the transport.
type Protocol interface {
	// ConnectionMade is the first call, when the child runs.
	ConnectionMade(t *Transport)

	// PipeDataReceived is called with what the child has written to its standard output
	// (fd 1) or standard error (2). Data is valid until it returns.
	PipeDataReceived(fd int, data []byte)

	// PipeConnectionLost is called at the end of a pipe, once for each: fd is 0, 1 or 2.
	// Err is nil, or what has ended it, as for ConnectionLost of package protocol.
	PipeConnectionLost(fd int, err error)

	// ProcessExited is called once, when the child has ended. Its pipes may have ended
	// before, or bring more after that: another process may hold them.
	ProcessExited()

	// ConnectionLost is the last call, after ProcessExited and the end of all pipes.
	ConnectionLost()
}

// A Transport is a child and its pipes, for a protocol. It belongs to the loop.
type Transport struct {
	cmd      *Cmd
	protocol Protocol
	pipes    [3]*protocol.Transport
	open     int // pipes
	made     bool
	exited   bool // ProcessExited was called
	lost     bool // ConnectionLost was called
}

// Connect starts the command for a protocol, with pipes for those of Stdin, Stdout and
// Stderr that are nil. ConnectionMade has returned when Connect returns. The child belongs
// to the scope of ctx as with [Cmd.Start], and the scope does not end before
// ConnectionLost. After an error of a later step than Start the child is ended.
//
// PEP 3156's subprocess_exec.
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
	t := &Transport{cmd: c, protocol: p}
	err := t.attach(ctx)
	if err == nil {
		c.child.loop.CallSoon(t.begin)
		err = c.child.until(ctx, func() bool { return t.made })
	}
	if err != nil {
		t.lost = true // no call comes any more
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
		c.closeInner()
		c.closeOurs()
		return err
	}
	return c.Start(ctx)
}

// attach makes transports of the pipes, which do not read before ConnectionMade.
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
	if t.lost {
		return
	}
	defer func() { // also after a panic
		t.made = true
		c := t.cmd.child
		c.transport = t
		c.news.WakeAll()
		for _, pipe := range t.pipes {
			if pipe != nil {
				pipe.ResumeReading()
			}
		}
		if c.exited {
			c.loop.CallSoon(t.exit)
		}
	}()
	t.call(func() { t.protocol.ConnectionMade(t) })
}

// exit calls ProcessExited, on the loop's goroutine.
func (t *Transport) exit() {
	defer t.finish()
	t.exited = true
	t.call(t.protocol.ProcessExited)
}

// finish calls ConnectionLost when all has ended.
func (t *Transport) finish() {
	if !t.exited || t.open > 0 || t.lost {
		return
	}
	t.lost = true
	t.cmd.child.news.WakeAll()
	t.call(t.protocol.ConnectionLost)
}

// call calls a method of the protocol. If that does not return, the child ends, and the
// panic goes on: to the exception handler of the loop.
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

// Cmd returns the command, for its Process and ProcessState, and to signal or wait for it.
func (t *Transport) Cmd() *Cmd { return t.cmd }

// Pipe returns the transport of a pipe to the child: of its input for 0, to be written
// to, and of its output for 1 and its standard error for 2. It is nil if there is no pipe.
func (t *Transport) Pipe(fd int) *protocol.Transport { return t.pipes[fd] }

// Close closes the pipes, and ends the child as a cancel does: it is asked to terminate,
// and killed after the Grace. What was written to the input is still sent, if the child
// reads it. A second Close does nothing.
func (t *Transport) Close() {
	t.cmd.child.held("Transport.Close")
	for fd, s := range []*netio.Stream{t.cmd.stdinPipe, t.cmd.stdoutPipe, t.cmd.stderrPipe} {
		if t.pipes[fd] != nil {
			t.pipes[fd].Close()
		} else if s != nil {
			_ = s.Close() // of a Connect that fails
		}
	}
	t.cmd.child.guardian.Cancel(nil)
}

// A side is the protocol of one pipe.
type side struct {
	t  *Transport
	fd int
}

// ConnectionMade makes it a protocol.Protocol.
func (s *side) ConnectionMade(pipe *protocol.Transport) { pipe.PauseReading() }

// DataReceived makes it a protocol.Protocol. From a pipe that writes nothing comes.
func (s *side) DataReceived(data []byte) {
	s.t.call(func() { s.t.protocol.PipeDataReceived(s.fd, data) })
}

// ConnectionLost makes it a protocol.Protocol.
func (s *side) ConnectionLost(err error) {
	if s.t.lost { // a Connect that fails
		return
	}
	s.t.open--
	defer s.t.finish()
	s.t.call(func() { s.t.protocol.PipeConnectionLost(s.fd, err) })
}

// PauseWriting and ResumeWriting make it a protocol.FlowController.
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
