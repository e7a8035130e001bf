// SPDX-License-Identifier: Apache-2.0

// Simple_tcp_server is a server with a protocol of lines, and its client, in one program. It
// shows a graceful end: the client disconnects, the listener is closed, and ServeListener
// returns when the last connection has ended.
//
// The command "add a b" has the sum as its answer. The answer to "repeat n msg" is n numbered
// lines between the lines begin and end.
//
//	go run ./examples/simple_tcp_server
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"baton/netio"
	"baton/task"
)

var port = flag.Int("port", 12345, "port number; 0 chooses one")

func main() {
	flag.Parse()
	task.Main(run)
}

func run(ctx context.Context) error {
	ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		var server netio.Server
		task.Go(ctx, func(ctx context.Context) error { return server.ServeListener(ctx, ln, handle) })
		defer ln.Close()
		return client(ctx, ln.Addr().String())
	})
}

// handle serves a client. The server calls it in a new task for each connection.
func handle(ctx context.Context, s *netio.Stream) error {
	defer fmt.Fprintln(os.Stderr, "client task done:", task.Self(ctx))
	for line, err := range s.Lines(ctx) {
		if err != nil {
			return err
		}
		answer, err := execute(line)
		if err != nil {
			return err
		}
		// Write waits while the client reads slowly. Meanwhile the server does not read the
		// next command.
		if _, err := s.Write(ctx, answer); err != nil {
			return err
		}
	}
	return nil
}

// execute returns the answer to a command.
func execute(line string) ([]byte, error) {
	var a, b float64
	var n int
	var msg string
	switch command, args, _ := strings.Cut(line, " "); command {
	case "add":
		if _, err := fmt.Sscan(args, &a, &b); err != nil {
			return nil, fmt.Errorf("bad arguments in %q: %w", line, err)
		}
		return fmt.Appendln(nil, a+b), nil
	case "repeat":
		if _, err := fmt.Sscan(args, &n, &msg); err != nil {
			return nil, fmt.Errorf("bad arguments in %q: %w", line, err)
		}
		answer := []byte("begin\n")
		for i := range n {
			answer = fmt.Appendf(answer, "%d. %s\n", i+1, msg)
		}
		return append(answer, "end\n"...), nil
	default:
		fmt.Fprintf(os.Stderr, "Bad command %q\n", line)
		return nil, nil
	}
}

// client sends two commands and prints the answers.
func client(ctx context.Context, address string) error {
	s, err := netio.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer s.Close()
	send := func(msg string) error {
		fmt.Println(">", msg)
		_, err := s.Write(ctx, []byte(msg+"\n"))
		return err
	}
	receive := func() (string, error) {
		msg, err := s.ReadLine(ctx)
		if err == nil {
			fmt.Println("<", msg)
		}
		return msg, err
	}

	if err := send("add 1 2"); err != nil {
		return err
	}
	if _, err := receive(); err != nil {
		return err
	}
	if err := send("repeat 5 hello"); err != nil {
		return err
	}
	for {
		msg, err := receive()
		if err != nil || msg == "end" {
			return err
		}
	}
}
