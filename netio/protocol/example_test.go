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

// An echoProtocol writes back what it receives.
type echoProtocol struct{ transport *protocol.Transport }

func (p *echoProtocol) ConnectionMade(t *protocol.Transport) { p.transport = t }
func (p *echoProtocol) DataReceived(data []byte)             { p.transport.Write(data) }
func (p *echoProtocol) ConnectionLost(error)                 { fmt.Println("server: connection lost") }

// A clientProtocol sends a message, and ends when it has come back.
type clientProtocol struct {
	message   string
	transport *protocol.Transport
	received  []byte
	lost      task.Future[error]
}

func (p *clientProtocol) ConnectionMade(t *protocol.Transport) {
	p.transport = t
	t.Write([]byte(p.message))
	fmt.Println("client: sent", p.message)
}

func (p *clientProtocol) DataReceived(data []byte) {
	p.received = append(p.received, data...)
	if len(p.received) == len(p.message) {
		fmt.Printf("client: received %s\n", p.received)
		p.transport.Close()
	}
}

func (p *clientProtocol) ConnectionLost(err error) { p.lost.Set(err) }

// A server of echoes, and its client.
func Example() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base { return &echoProtocol{} })
		if err != nil {
			return err
		}
		client := &clientProtocol{message: "hello"}
		_, err = protocol.Connect(ctx, "tcp", srv.Addr().String(), func() protocol.Base { return client })
		if err != nil {
			return err
		}
		lost, err := client.lost.Await(ctx)
		if err != nil {
			return err
		}
		fmt.Println("client: connection lost:", lost)
		srv.Close()
		return srv.Wait(ctx)
	})
	fmt.Println(err)
	// Output:
	// client: sent hello
	// client: received hello
	// client: connection lost: <nil>
	// server: connection lost
	// <nil>
}

// A shouter answers each line in capitals, and takes its time for it.
type shouter struct {
	transport *protocol.Transport
	line      []byte
}

func (p *shouter) ConnectionMade(t *protocol.Transport) { p.transport = t }
func (p *shouter) ConnectionLost(error)                 {}

func (p *shouter) Receive(ctx context.Context, data []byte) error {
	p.line = append(p.line, data...)
	for {
		line, rest, ok := bytes.Cut(p.line, []byte("\n"))
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
		p.line = rest
	}
}

// A Receiver is a protocol whose bytes are handled by a task, which may switch.
func ExampleReceiver() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base { return &shouter{} })
		if err != nil {
			return err
		}
		s, err := netio.Dial(ctx, "tcp", srv.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.Write(ctx, []byte("hello\nworld\n")); err != nil {
			return err
		}
		for range 2 {
			line, err := s.ReadLine(ctx)
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		srv.Close()
		return nil
	})
	fmt.Println(err)
	// Output:
	// HELLO!
	// WORLD!
	// <nil>
}
