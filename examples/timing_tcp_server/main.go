// SPDX-License-Identifier: Apache-2.0

// Timing_tcp_server is a variant of simple_tcp_server. It measures how long the answer to
// "repeat n msg" takes, for growing n. The time per line should not grow with n.
//
//	go run ./examples/timing_tcp_server
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"

	"baton/netio"
	"baton/task"
)

var port = flag.Int("port", 12345, "port number; 0 chooses one")

// limit is the largest n. Tests set a smaller limit.
var limit = 100_000

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
		if err := execute(ctx, s, line); err != nil {
			return err
		}
	}
	return nil
}

// execute answers a command.
func execute(ctx context.Context, s *netio.Stream, line string) error {
	var a, b float64
	var n int
	var msg string
	switch command, args, _ := strings.Cut(line, " "); command {
	case "add":
		if _, err := fmt.Sscan(args, &a, &b); err != nil {
			return fmt.Errorf("bad arguments in %q: %w", line, err)
		}
		_, err := s.Write(ctx, fmt.Appendln(nil, a+b))
		return err
	case "repeat":
		if _, err := fmt.Sscan(args, &n, &msg); err != nil {
			return fmt.Errorf("bad arguments in %q: %w", line, err)
		}
		return repeat(ctx, s, n, msg)
	default:
		fmt.Fprintf(os.Stderr, "Bad command %q\n", line)
		return nil
	}
}

// repeat writes n lines that begin with msg, many lines in each Write. Its memory does not grow
// with n, because Write waits until the kernel has taken all bytes.
func repeat(ctx context.Context, s *netio.Stream, n int, msg string) error {
	buf := []byte("begin\n")
	for i := range n {
		buf = fmt.Appendf(buf, "%d. %s%s\n", i+1, msg, strings.Repeat("x", 10+rand.IntN(41)))
		if len(buf) >= 64<<10 {
			if _, err := s.Write(ctx, buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := s.Write(ctx, append(buf, "end\n"...))
	return err
}

// client sends commands and measures how long the answers take.
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
	receive := func() error {
		msg, err := s.ReadLine(ctx)
		if err == nil {
			fmt.Println("<", msg)
		}
		return err
	}

	if err := send("add 1 2"); err != nil {
		return err
	}
	if err := receive(); err != nil {
		return err
	}
	for n := 100; n < limit; n += 10_000 {
		began := task.Now(ctx)
		if err := send(fmt.Sprintf("repeat %d hello world", n)); err != nil {
			return err
		}
		if err := receive(); err != nil {
			return err
		}
		for {
			msg, err := s.ReadLine(ctx)
			if err != nil {
				return err
			}
			if msg == "end" {
				break
			}
		}
		seconds := task.Now(ctx).Sub(began).Seconds()
		fmt.Printf("Time taken: %.3f seconds (%.6f per repetition)\n", seconds, seconds/float64(n))
	}
	return nil
}
