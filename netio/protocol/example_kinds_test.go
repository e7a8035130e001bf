// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/protocol"
	"baton/task"
)

// connect starts a server whose protocol is p, and connects a stream to it.
func connect(ctx context.Context, p protocol.Base) (*netio.Stream, error) {
	var srv *protocol.Server
	srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base {
		srv.Close() // this connection goes on
		return p
	})
	if err != nil {
		return nil, err
	}
	s, err := netio.Dial(ctx, "tcp", srv.Addr().String())
	if err != nil {
		return nil, err
	}
	if _, err := s.Write(ctx, []byte("hello\nworld\n")); err != nil {
		return nil, err
	}
	return s, nil
}

// A shouter answers each line in capital letters, and takes its time.
type shouter struct {
	transport *protocol.Transport
	received  []byte
}

func (p *shouter) ConnectionMade(t *protocol.Transport) { p.transport = t }
func (p *shouter) ConnectionLost(error)                 {}

func (p *shouter) Receive(ctx context.Context, data []byte) error {
	p.received = append(p.received, data...)
	for {
		line, rest, ok := bytes.Cut(p.received, []byte("\n"))
		if !ok {
			return nil
		}
		if err := await.Sleep(ctx, time.Millisecond); err != nil {
			return err // the connection has ended
		}
		p.transport.WriteBuffers(bytes.ToUpper(line), []byte("!\n"))
		if err := p.transport.Drain(ctx); err != nil {
			return err
		}
		p.received = rest
	}
}

// A Receiver receives bytes in a task, which may switch.
func ExampleReceiver() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		var p protocol.Receiver = &shouter{}
		s, err := connect(ctx, p)
		if err != nil {
			return err
		}
		defer s.Close()
		for range 2 {
			line, err := s.ReadLine(ctx)
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// HELLO!
	// WORLD!
	// <nil>
}

// A counter counts bytes until the end of the stream. It receives them in its own memory.
type counter struct {
	buf   [512]byte
	n     int
	total task.Future[int]
}

func (c *counter) ConnectionMade(*protocol.Transport) {}
func (c *counter) GetBuffer(hint int) []byte          { return c.buf[:] }
func (c *counter) BufferUpdated(n int)                { c.n += n }
func (c *counter) ConnectionLost(error)               {}

func (c *counter) EOFReceived() (open bool) {
	c.total.Set(c.n)
	return false // close the connection
}

// A BufferedProtocol provides the memory. This one is also an EOFReceiver.
func ExampleBufferedProtocol() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		c := &counter{}
		var p protocol.BufferedProtocol = c
		var _ protocol.EOFReceiver = c
		s, err := connect(ctx, p)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.CloseWrite(); err != nil {
			return err
		}
		total, err := c.total.Await(ctx)
		fmt.Println(total, "bytes")
		return err
	})
	fmt.Println(err)
	// Output:
	// 12 bytes
	// <nil>
}

// A source writes bytes, but stops when the peer read too slowly.
type source struct {
	transport *protocol.Transport
	left      int
	paused    bool
	pauses    int
}

func (p *source) ConnectionMade(t *protocol.Transport) { p.transport = t; p.write() }
func (p *source) DataReceived([]byte)                  {}
func (p *source) ConnectionLost(error)                 {}
func (p *source) PauseWriting()                        { p.paused = true; p.pauses++ }
func (p *source) ResumeWriting()                       { p.paused = false; p.write() }

func (p *source) write() {
	for p.left > 0 && !p.paused {
		n := min(p.left, 1<<16)
		p.left -= n
		p.transport.Write(make([]byte, n))
	}
	if p.left == 0 {
		p.transport.CloseWrite()
	}
}

// A FlowController does not let the write buffer grow without limit.
func ExampleFlowController() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		p := &source{left: 16 << 20}
		var _ protocol.FlowController = p
		s, err := connect(ctx, p)
		if err != nil {
			return err
		}
		defer s.Close()
		all, err := s.ReadAll(ctx, 100<<20)
		fmt.Println(len(all)>>20, "MiB; paused:", p.pauses > 0)
		return err
	})
	fmt.Println(err)
	// Output:
	// 16 MiB; paused: true
	// <nil>
}
