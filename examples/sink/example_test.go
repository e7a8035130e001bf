// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/examples/internal/selfsigned"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play runs the sink in a simulated world, and then client.
func play(client func(ctx context.Context) error) {
	world := virtual.New(virtual.Config{})
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			certificate, err := os.Create(*cafile)
			if err != nil {
				return err
			}
			defer certificate.Close()
			server := task.Start(ctx, func(ctx context.Context) (any, error) { return nil, serve(ctx, certificate, os.Stdout) })
			if err := await.Sleep(ctx, time.Second); err != nil {
				return err
			}
			if err := client(ctx); err != nil {
				return err
			}
			_, err = server.Await(ctx)
			return err
		})
	})
	fmt.Println(err)
}

// send sends data to the sink, with TLS if --tls is set, and waits until the sink closes the
// connection.
func send(ctx context.Context, data ...string) error {
	s, err := netio.Dial(ctx, "tcp", "127.0.0.1:1111")
	if err != nil {
		return err
	}
	defer s.Close()
	if *useTLS {
		config, err := selfsigned.Client(*cafile)
		if err != nil {
			return err
		}
		config.ServerName = "localhost"
		if err := s.StartTLS(ctx, config); err != nil {
			return err
		}
	}
	for _, d := range data {
		if _, err := s.Write(ctx, []byte(d)); err != nil {
			return err
		}
		if err := await.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	_, err = s.ReadAll(ctx, 0)
	return err
}

var cafile = new(string)

// The sink counts the bytes that its clients send, until a client sends stop.
func Example() {
	dir, _ := os.MkdirTemp("", "sink")
	defer os.RemoveAll(dir)
	*cafile = filepath.Join(dir, "cert.pem")
	*host = "127.0.0.1"
	play(func(ctx context.Context) error {
		if err := send(ctx, "hello, ", "sink"); err != nil {
			return err
		}
		return send(ctx, "stop")
	})
	// Output:
	// sink: serving [127.0.0.1:1111]
	// sink: connection from 127.0.0.1:49152
	// sink: my socket is 127.0.0.1:1111
	// sink: received 7 bytes; total 7
	// sink: received 4 bytes; total 11
	// sink: closed <nil>
	// sink: connection from 127.0.0.1:49153
	// sink: my socket is 127.0.0.1:1111
	// sink: stopping server
	// sink: closed <nil>
	// <nil>
}

// The sink closes the connection of a client that sends too much. This client uses TLS.
func Example_tooMuch() {
	dir, _ := os.MkdirTemp("", "sink")
	defer os.RemoveAll(dir)
	*cafile = filepath.Join(dir, "cert.pem")
	*host, *useTLS, *maxSize = "127.0.0.1", true, 10
	defer func() { *useTLS, *maxSize = false, 16<<20 }()
	play(func(ctx context.Context) error {
		if err := send(ctx, "0123456789", "a"); err != nil {
			return err
		}
		return send(ctx, "stop")
	})
	// Output:
	// sink: serving TLS [127.0.0.1:1111]
	// sink: connection from 127.0.0.1:49152
	// sink: my socket is 127.0.0.1:1111
	// sink: received 10 bytes; total 10
	// sink: received 1 bytes; total 11
	// sink: closing due to too much data
	// sink: closed <nil>
	// sink: connection from 127.0.0.1:49153
	// sink: my socket is 127.0.0.1:1111
	// sink: stopping server
	// sink: closed <nil>
	// <nil>
}
