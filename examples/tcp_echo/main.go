// SPDX-License-Identifier: Apache-2.0

// Tcp_echo is an echo server that closes idle connections after five seconds, and its client.
// The client sends one message, and disconnects ten seconds after the answer. So the server
// always closes first. Ctrl-C ends the server at once, without waiting for idle clients. The
// example shows timeouts of streams and UntilShutdown.
//
//	go run ./examples/tcp_echo --server   # Ctrl-C ends it
//	go run ./examples/tcp_echo --client   # in another terminal
//	go run ./examples/tcp_echo --server --client --idle 1s   # both in one
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"baton/netio"
	"baton/task"
)

var (
	asServer = flag.Bool("server", false, "run the TCP server")
	asClient = flag.Bool("client", false, "run the TCP client")
	host     = flag.String("host", "127.0.0.1", "host name")
	port     = flag.Int("port", 9999, "port number")
	idle     = flag.Duration("idle", 5*time.Second, "how long the server waits for data")
)

// linger is how long the client stays connected after an answer.
const linger = 10 * time.Second

func main() {
	flag.Parse()
	if !*asServer && !*asClient {
		flag.Usage()
		os.Exit(2)
	}
	task.Main(run)
}

func run(ctx context.Context) error {
	fmt.Printf("Using backend: %T\n", task.Loop(ctx).Poller())
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	if !*asServer {
		return talk(ctx, address)
	}
	ln, err := netio.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("server: listening on", ln)
	var server netio.Server
	if !*asClient {
		return server.ServeListener(ctx, ln, answer)
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return server.ServeListener(ctx, ln, answer) })
		defer ln.Close() // ends the server when the last connection has ended
		return talk(ctx, ln.Addr().String())
	})
}

// answer serves a connection.
func answer(ctx context.Context, s *netio.Stream) (err error) {
	fmt.Println("server: connection made")
	defer func() { fmt.Println("server: connection lost:", err) }()
	s.SetReadTimeout(*idle)
	waiting, release := netio.UntilShutdown(ctx)
	defer release()
	buf := make([]byte, 4096)
	for {
		n, err := s.Read(waiting, buf)
		switch {
		case errors.Is(err, netio.ErrShutdown):
			fmt.Println("server: shutting down, closing.")
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			fmt.Println("server: connection timeout, closing.")
			return nil
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		fmt.Printf("server: data received: %s\n", buf[:n])
		if _, err := s.Write(ctx, fmt.Appendf(nil, "Re: %s", buf[:n])); err != nil {
			return err
		}
	}
}

// talk is the client.
func talk(ctx context.Context, address string) (err error) {
	s, err := netio.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { fmt.Println("client: connection lost:", err) }()
	defer s.Close()
	const message = "This is the message. It will be echoed."
	if _, err := s.Write(ctx, []byte(message)); err != nil {
		return err
	}
	fmt.Println("client: data sent:", message)
	s.SetReadTimeout(linger)
	buf := make([]byte, 4096)
	for {
		n, err := s.Read(ctx, buf)
		switch {
		case err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
		fmt.Printf("client: data received: %s\n", buf[:n])
	}
}
