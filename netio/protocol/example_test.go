// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"fmt"
	"time"

	"baton/netio"
	"baton/netio/protocol"
	"baton/task"
)

// An echo sends back what it receives.
type echo struct{ transport *protocol.Transport }

func (e *echo) ConnectionMade(t *protocol.Transport) { e.transport = t }
func (e *echo) DataReceived(data []byte)             { e.transport.Write(data) }
func (e *echo) ConnectionLost(err error)             {}

// The echo server of the package documentation, with a client.
func Example() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0",
			func() protocol.Base { return &echo{} })
		if err != nil {
			return err
		}
		defer srv.Close()

		s, err := netio.Dial(ctx, "tcp", srv.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
			return err
		}
		line, err := s.ReadLine(ctx)
		fmt.Println(line)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

// A greeter sends a greeting, and closes the connection when the greeting has come back.
type greeter struct {
	greeting  string
	transport *protocol.Transport
	received  []byte
	lost      task.Future[error]
}

func (g *greeter) ConnectionMade(t *protocol.Transport) {
	g.transport = t
	t.Write([]byte(g.greeting))
}

func (g *greeter) DataReceived(data []byte) {
	g.received = append(g.received, data...)
	if len(g.received) == len(g.greeting) {
		fmt.Printf("received %s\n", g.received)
		g.transport.Close()
	}
}

func (g *greeter) ConnectionLost(err error) { g.lost.Set(err) }

// A client in the callback style. A task waits for its end by a future.
func ExampleTransport() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0",
			func() protocol.Base { return &echo{} })
		if err != nil {
			return err
		}
		defer srv.Close()

		client := &greeter{greeting: "hello"}
		var p protocol.Protocol = client // it has DataReceived
		factory := protocol.Factory(func() protocol.Base { return p })
		transport, err := protocol.Connect(ctx, "tcp", srv.Addr().String(), factory)
		if err != nil {
			return err
		}
		lost, err := client.lost.Await(ctx)
		fmt.Println("lost:", lost, transport.IsClosing())
		return err
	})
	fmt.Println(err)
	// Output:
	// received hello
	// lost: <nil> true
	// <nil>
}

// Close stops accepting, and Wait returns when the last connection has ended.
func ExampleServer() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		config := protocol.Config{CloseTimeout: 5 * time.Second}
		var srv *protocol.Server
		srv, err := config.CreateServer(ctx, "tcp", "127.0.0.1:0",
			func() protocol.Base { return &echo{} })
		if err != nil {
			return err
		}
		s, err := netio.Dial(ctx, "tcp", srv.Addr().String())
		if err != nil {
			return err
		}
		if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
			return err
		}
		line, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		fmt.Println(line)

		srv.Close()
		fmt.Println("serving:", srv.IsServing())
		s.Close()
		return srv.Wait(ctx)
	})
	fmt.Println(err)
	// Output:
	// hello
	// serving: false
	// <nil>
}
