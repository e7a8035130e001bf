// SPDX-License-Identifier: Apache-2.0

// Package protocoltest checks that the methods of a protocol are called in the order
// that package protocol promises.
package protocoltest

import (
	"context"
	"slices"
	"testing"

	"baton/netio/protocol"
	"baton/task"
)

// A Checker is a protocol that records its calls, and fails its test if a call comes at the wrong
// time. Plain, Buffered and Task return it as a protocol of each kind. The fields belong to the
// loop.
type Checker struct {
	T testing.TB

	Transport *protocol.Transport // set by ConnectionMade
	Calls     []string            // the names of the calls, except those that pass bytes
	Data      []byte              // all bytes, in the order of their arrival
	Chunks    int                 // the number of calls that passed bytes
	Err       error               // of ConnectionLost

	// The methods call these functions if they are not nil. Without OnEOF, the transport closes at
	// the end of the stream. Only Task uses OnReceive.
	OnMade    func()
	OnData    func(data []byte)
	OnReceive func(ctx context.Context, data []byte) error
	OnBuffer  func() // in GetBuffer
	OnEOF     func() (open bool)
	OnPause   func()
	OnResume  func()
	OnLost    func()

	// Size is the length of the buffers of Buffered, in bytes. The default is 100; a negative Size
	// means empty buffers.
	Size int

	made, ended, lost, paused bool

	inside  string // the method that is running
	buf     []byte // what GetBuffer has returned, until BufferUpdated
	waiters task.WaitQueue
}

// Plain returns the checker as a protocol.Protocol.
func (c *Checker) Plain() protocol.Protocol { return (*plain)(c) }

// Buffered returns the checker as a protocol.BufferedProtocol.
func (c *Checker) Buffered() protocol.BufferedProtocol { return (*buffered)(c) }

// Task returns the checker as a protocol.Receiver.
func (c *Checker) Task() protocol.Receiver { return (*receiver)(c) }

// Adopt prepares c to become the protocol of t by SetProtocol. C then expects no ConnectionMade.
func (c *Checker) Adopt(t *protocol.Transport) {
	c.made, c.Transport, c.paused = true, t, t.WritePaused()
}

// Until waits until ok returns true. It calls ok again after each call of the protocol.
func (c *Checker) Until(ctx context.Context, ok func() bool) error {
	for !ok() {
		if err := c.waiters.Wait(ctx, task.Text("a call of the protocol")); err != nil {
			return err
		}
	}
	return nil
}

// UntilData waits until c has received n bytes.
func (c *Checker) UntilData(ctx context.Context, n int) error {
	return c.Until(ctx, func() bool { return len(c.Data) >= n })
}

// UntilLost waits for ConnectionLost.
func (c *Checker) UntilLost(ctx context.Context) error {
	return c.Until(ctx, func() bool { return c.lost })
}

// Lost reports whether ConnectionLost was called.
func (c *Checker) Lost() bool { return c.lost }

// enter makes the checks for every call. The caller must call leave at the end of the call.
func (c *Checker) enter(call string) (leave func()) {
	c.T.Helper()
	switch {
	case !c.made && call != "ConnectionMade":
		c.T.Errorf("%s before ConnectionMade", call)
	case c.lost:
		c.T.Errorf("%s after ConnectionLost", call)
	case c.inside != "" && call != "PauseWriting" && call != "ResumeWriting":
		c.T.Errorf("%s during %s", call, c.inside)
	}
	outer := c.inside
	c.inside = call
	return func() {
		c.inside = outer
		c.waiters.WakeAll()
	}
}

// bytes checks a call that passes n bytes.
func (c *Checker) bytes(call string, n int) {
	c.T.Helper()
	switch {
	case n == 0:
		c.T.Errorf("%s with no bytes", call)
	case c.ended:
		c.T.Errorf("%s after EOFReceived", call)
	case !c.Transport.IsReading():
		c.T.Errorf("%s while IsReading is false", call)
	}
	c.Chunks++
	c.waiters.WakeAll() // a Receive may still take long
}

func (c *Checker) connectionMade(t *protocol.Transport) {
	defer c.enter("ConnectionMade")()
	if c.made {
		c.T.Error("ConnectionMade twice")
	}
	c.made, c.Transport = true, t
	c.Calls = append(c.Calls, "ConnectionMade")
	if c.OnMade != nil {
		c.OnMade()
	}
}

func (c *Checker) connectionLost(err error) {
	defer c.enter("ConnectionLost")()
	c.lost, c.Err = true, err
	c.Calls = append(c.Calls, "ConnectionLost")
	if c.OnLost != nil {
		c.OnLost()
	}
}

func (c *Checker) eofReceived() bool {
	defer c.enter("EOFReceived")()
	if c.ended {
		c.T.Error("EOFReceived twice")
	}
	c.ended = true
	c.Calls = append(c.Calls, "EOFReceived")
	return c.OnEOF != nil && c.OnEOF()
}

func (c *Checker) pauseWriting() {
	defer c.enter("PauseWriting")()
	high, _ := c.Transport.WriteBufferLimits()
	if size := c.Transport.WriteBufferSize(); size <= high {
		c.T.Errorf("PauseWriting while %d bytes wait; the high limit is %d", size, high)
	}
	c.flow("PauseWriting", true, c.OnPause)
}

func (c *Checker) resumeWriting() {
	defer c.enter("ResumeWriting")()
	_, low := c.Transport.WriteBufferLimits()
	if size := c.Transport.WriteBufferSize(); size > low {
		c.T.Errorf("ResumeWriting while %d bytes wait; the low limit is %d", size, low)
	}
	c.flow("ResumeWriting", false, c.OnResume)
}

// flow checks that PauseWriting and ResumeWriting alternate.
func (c *Checker) flow(call string, paused bool, then func()) {
	if c.paused == paused {
		c.T.Errorf("%s twice", call)
	}
	c.paused = paused
	c.Calls = append(c.Calls, call)
	if then != nil {
		then()
	}
}

// plain is a Checker as a protocol.Protocol.
type plain Checker

func (p *plain) ConnectionMade(t *protocol.Transport) { (*Checker)(p).connectionMade(t) }
func (p *plain) ConnectionLost(err error)             { (*Checker)(p).connectionLost(err) }
func (p *plain) EOFReceived() bool                    { return (*Checker)(p).eofReceived() }
func (p *plain) PauseWriting()                        { (*Checker)(p).pauseWriting() }
func (p *plain) ResumeWriting()                       { (*Checker)(p).resumeWriting() }

func (p *plain) DataReceived(data []byte) {
	c := (*Checker)(p)
	defer c.enter("DataReceived")()
	c.bytes("DataReceived", len(data))
	c.Data = append(c.Data, data...)
	if c.OnData != nil {
		c.OnData(data)
	}
}

// buffered is a Checker as a protocol.BufferedProtocol.
type buffered Checker

func (p *buffered) ConnectionMade(t *protocol.Transport) { (*Checker)(p).connectionMade(t) }
func (p *buffered) ConnectionLost(err error)             { (*Checker)(p).connectionLost(err) }
func (p *buffered) EOFReceived() bool                    { return (*Checker)(p).eofReceived() }
func (p *buffered) PauseWriting()                        { (*Checker)(p).pauseWriting() }
func (p *buffered) ResumeWriting()                       { (*Checker)(p).resumeWriting() }

func (p *buffered) GetBuffer(int) []byte {
	c := (*Checker)(p)
	defer c.enter("GetBuffer")()
	size := c.Size
	if size == 0 {
		size = 100
	}
	if c.OnBuffer != nil {
		c.OnBuffer()
	}
	c.buf = make([]byte, max(size, 0))
	return c.buf
}

func (p *buffered) BufferUpdated(n int) {
	c := (*Checker)(p)
	defer c.enter("BufferUpdated")()
	if n > len(c.buf) {
		c.T.Fatalf("BufferUpdated with %d bytes in a buffer of %d", n, len(c.buf))
	}
	c.bytes("BufferUpdated", n)
	data := c.buf[:n]
	c.buf = nil
	c.Data = append(c.Data, data...)
	if c.OnData != nil {
		c.OnData(data)
	}
}

// receiver is a Checker as a protocol.Receiver.
type receiver Checker

func (p *receiver) ConnectionMade(t *protocol.Transport) { (*Checker)(p).connectionMade(t) }
func (p *receiver) ConnectionLost(err error)             { (*Checker)(p).connectionLost(err) }
func (p *receiver) EOFReceived() bool                    { return (*Checker)(p).eofReceived() }
func (p *receiver) PauseWriting()                        { (*Checker)(p).pauseWriting() }
func (p *receiver) ResumeWriting()                       { (*Checker)(p).resumeWriting() }

func (p *receiver) Receive(ctx context.Context, data []byte) (err error) {
	c := (*Checker)(p)
	defer c.enter("Receive")()
	c.bytes("Receive", len(data))
	before := slices.Clone(data)
	c.Data = append(c.Data, data...)
	if c.OnReceive != nil {
		err = c.OnReceive(ctx, data)
	}
	if !slices.Equal(data, before) {
		c.T.Error("the data of Receive changed before Receive returned")
	}
	return err
}
