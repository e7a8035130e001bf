// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// An echo server, and a client that sends two lines.
func Example() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error {
			return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
				_, err := netio.Copy(ctx, s, s)
				return err
			})
		})

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.Write(ctx, []byte("hello\nworld\n")); err != nil {
			return err
		}
		if err := s.CloseWrite(); err != nil {
			return err
		}
		for {
			line, err := s.ReadLine(ctx)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return srv.Shutdown(ctx)
	})
	fmt.Println(err)
	// Output:
	// hello
	// world
	// <nil>
}

// A line server limits the number of its connections, the length of a line, and how long a
// client may be silent.
func ExampleServer() {
	srv := &netio.Server{
		MaxConns: 1000,
		Grace:    5 * time.Second,
		Listen: netio.ListenConfig{Stream: netio.StreamConfig{
			LineLimit:   80,
			IdleTimeout: time.Minute,
		}},
	}
	shout := func(ctx context.Context, s *netio.Stream) error {
		for {
			line, err := s.ReadLine(ctx)
			if errors.Is(err, netio.ErrTooLong) {
				line = "that was too long" // the next ReadLine returns the next line
			} else if err != nil {
				return err // io.EOF at the end of the connection
			}
			if _, err := s.WriteBuffers(ctx, []byte(line), []byte("!\n")); err != nil {
				return err
			}
		}
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := srv.Listen.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, shout) })

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		for _, line := range []string{"hello", fmt.Sprintf("%081d", 0), "bye"} {
			if _, err := fmt.Fprintln(s.NetConn(ctx), line); err != nil {
				return err
			}
			answer, err := s.ReadLine(ctx)
			if err != nil {
				return err
			}
			fmt.Println(answer)
		}
		s.Close()
		return srv.Shutdown(ctx)
	})
	fmt.Println(err)
	// Output:
	// hello!
	// that was too long!
	// bye!
	// <nil>
}

// A handler answers line by line, until the client closes the connection.
func ExampleStream_Lines() {
	upper := func(ctx context.Context, s *netio.Stream) error {
		for line, err := range s.Lines(ctx) {
			if err != nil {
				return err
			}
			if _, err := s.Write(ctx, []byte(strings.ToUpper(line)+"\n")); err != nil {
				return err
			}
		}
		return nil
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, upper) })

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.Write(ctx, []byte("one\ntwo\n")); err != nil {
			return err
		}
		if err := s.CloseWrite(); err != nil {
			return err
		}
		for line, err := range s.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return srv.Shutdown(ctx)
	})
	fmt.Println(err)
	// Output:
	// ONE
	// TWO
	// <nil>
}

// A line server says goodbye to idle clients when it is shut down.
func ExampleUntilShutdown() {
	shout := func(ctx context.Context, s *netio.Stream) error {
		idle, release := netio.UntilShutdown(ctx)
		defer release()
		for line, err := range s.Lines(idle) {
			if errors.Is(err, netio.ErrShutdown) {
				_, err = s.Write(ctx, []byte("bye\n"))
			} else if err == nil {
				_, err = s.WriteBuffers(ctx, []byte(line), []byte("!\n"))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, shout) })

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
			return err
		}
		line, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		fmt.Println(line)
		if err := srv.Shutdown(ctx); err != nil { // returns before the grace is over
			return err
		}
		line, err = s.ReadLine(ctx)
		fmt.Println(line)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello!
	// bye
	// <nil>
}

// A client of package net/textproto uses a stream as a net.Conn.
func ExampleStream_NetConn() {
	greet := func(ctx context.Context, s *netio.Stream) error {
		name, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		_, err = s.Write(ctx, []byte("200 hello "+name+"\r\n"))
		return err
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, greet) })

		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		client := textproto.NewConn(s.NetConn(ctx))
		defer client.Close()
		if err := client.PrintfLine("gopher"); err != nil {
			return err
		}
		_, message, err := client.ReadResponse(200)
		fmt.Println(message)
		return errors.Join(err, srv.Shutdown(ctx))
	})
	fmt.Println(err)
	// Output:
	// hello gopher
	// <nil>
}

// A client of package net/http uses connections of the loop. The client blocks, so it runs in
// await.Blocking.
func ExampleDialer_DialFunc() {
	hello := func(ctx context.Context, s *netio.Stream) error {
		if _, err := s.ReadUntil(ctx, []byte("\r\n\r\n")); err != nil {
			return err
		}
		_, err := s.Write(ctx, []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
		return err
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, hello) })

		dial := netio.Dialer{Timeout: 10 * time.Second}.DialFunc(ctx)
		client := &http.Client{Transport: &http.Transport{DialContext: dial}}
		body, err := await.Blocking(ctx, func(ctx context.Context) ([]byte, error) {
			defer client.CloseIdleConnections()
			request, err := http.NewRequestWithContext(ctx, "GET", "http://"+ln.Addr().String(), nil)
			if err != nil {
				return nil, err
			}
			answer, err := client.Do(request)
			if err != nil {
				return nil, err
			}
			defer answer.Body.Close()
			return io.ReadAll(answer.Body)
		})
		fmt.Printf("%s, %v\n", body, err)
		return srv.Shutdown(ctx)
	})
	fmt.Println(err)
	// Output:
	// hello, <nil>
	// <nil>
}
