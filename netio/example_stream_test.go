// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"baton/netio"
	"baton/task"
)

// A listener gives its streams a read timeout. After a timeout a stream is still usable.
func ExampleStreamConfig() {
	config := netio.ListenConfig{
		Backlog: 10,
		Stream: netio.StreamConfig{
			LineLimit:   80,
			ReadTimeout: 10 * time.Millisecond,
			TLS:         netio.TLSOptions{HandshakeTimeout: 5 * time.Second},
		},
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		client, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		s, err := ln.Accept(ctx)
		if err != nil {
			return err
		}
		defer s.Close()

		_, err = s.ReadLine(ctx)
		fmt.Println("timeout:", errors.Is(err, os.ErrDeadlineExceeded))

		s.SetReadTimeout(10 * time.Second)
		if _, err := client.Write(ctx, []byte("hello\n")); err != nil {
			return err
		}
		line, err := s.ReadLine(ctx)
		fmt.Println(line)
		return err
	})
	fmt.Println(err)
	// Output:
	// timeout: true
	// hello
	// <nil>
}

// Two tasks read from one stream. The second one gets a BusyError, and the first continues.
func ExampleBusyError() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		task.Go(ctx, func(ctx context.Context) error {
			s.ReadLine(ctx) // until s.Close
			return nil
		})
		if err := task.Yield(ctx); err != nil { // the other task runs, and waits
			return err
		}

		_, err = s.ReadLine(ctx)
		if busy, ok := errors.AsType[*netio.BusyError](err); ok {
			fmt.Println("another task is in a", busy.Op)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// another task is in a read
	// <nil>
}

// A handler reads the first line of a connection, and then hands the connection to a
// function that uses other limits. No byte is lost.
func ExampleDetached() {
	upload := func(ctx context.Context, d *netio.Detached) error {
		s := d.Stream(netio.StreamConfig{LineLimit: 1 << 20, IdleTimeout: time.Minute})
		defer s.Close()
		data, err := s.ReadAll(ctx, 1<<20)
		fmt.Printf("%s\n", data)
		return err
	}
	serve := func(ctx context.Context, s *netio.Stream) error {
		command, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		fmt.Println(command)
		d, err := s.Detach(ctx)
		if err != nil {
			return err
		}
		return upload(ctx, d)
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, serve) })

		client, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		if _, err := client.Write(ctx, []byte("UPLOAD\nroses are red")); err != nil {
			return err
		}
		if err := client.CloseWrite(); err != nil {
			return err
		}
		if _, err := client.ReadAll(ctx, 0); err != nil { // until the server closes
			return err
		}
		return srv.Shutdown(ctx)
	})
	fmt.Println(err)
	// Output:
	// UPLOAD
	// roses are red
	// <nil>
}
