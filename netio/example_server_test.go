// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/netio"
	"baton/task"
)

// A function wraps a Handler in another one, as HTTP middleware does.
func ExampleHandler() {
	greet := func(ctx context.Context, s *netio.Stream) error {
		_, err := s.Write(ctx, []byte("hello"))
		return err
	}
	logged := func(next netio.Handler) netio.Handler {
		return func(ctx context.Context, s *netio.Stream) error {
			fmt.Println("connected")
			defer fmt.Println("disconnected")
			return next(ctx, s)
		}
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, logged(greet)) })

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		greeting, err := s.ReadAll(ctx, 100) // until the handler has ended
		fmt.Printf("%s\n", greeting)
		return errors.Join(err, srv.Shutdown(ctx))
	})
	fmt.Println(err)
	// Output:
	// connected
	// disconnected
	// hello
	// <nil>
}

// A handler still waits for its client when the grace of the server ends. The server cuts
// the connection off and reports that.
func ExampleLeftError() {
	srv := &netio.Server{Grace: time.Millisecond}
	handler := func(ctx context.Context, s *netio.Stream) error {
		if _, err := s.Write(ctx, []byte("name?\n")); err != nil {
			return err
		}
		_, err := s.ReadLine(ctx)
		return err
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error {
			srv.ServeListener(ctx, ln, handler) // returns the same error as Shutdown
			return nil
		})

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.ReadLine(ctx); err != nil { // now the handler runs
			return err
		}
		err = srv.Shutdown(ctx)
		if left, ok := errors.AsType[*netio.LeftError](err); ok {
			fmt.Println(left.Conns, "connection was cut off")
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// 1 connection was cut off
	// netio: serve: 1 connection cut off after a grace of 1ms
}
