// SPDX-License-Identifier: Apache-2.0

// Tcp_protocol_parser is a server and a client that exchange messages of four kinds: ping,
// pong, text and stop. The parser has no state and no buffer. It is a function that reads from
// the stream, and waits where data is missing.
//
//	go run ./examples/tcp_protocol_parser --server   # Ctrl-C ends it
//	go run ./examples/tcp_protocol_parser --client   # in another terminal
//	go run ./examples/tcp_protocol_parser --server --client   # both in one
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"baton/netio"
	"baton/task"
)

var (
	asServer = flag.Bool("server", false, "run the TCP server")
	asClient = flag.Bool("client", false, "run the TCP client")
	host     = flag.String("host", "127.0.0.1", "host name")
	port     = flag.Int("port", 9999, "port number")
)

func main() {
	flag.Parse()
	if !*asServer && !*asClient {
		flag.Usage()
		os.Exit(2)
	}
	task.Main(run)
}

func run(ctx context.Context) error {
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	if !*asServer {
		return talk(ctx, address)
	}
	ln, err := netio.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("serving on", ln)
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

// A message is a line of the protocol, such as "text:hello".
type message struct {
	kind string // ping, pong, text or stop
	text string // of the kind text only
}

// receive reads a message. The error is io.EOF if the peer has disconnected.
func receive(ctx context.Context, s *netio.Stream) (message, error) {
	line, err := s.ReadLine(ctx)
	if err != nil {
		return message{}, err
	}
	kind, text, _ := strings.Cut(line, ":")
	switch kind {
	case "ping", "pong", "stop":
		return message{kind: kind}, nil
	case "text":
		return message{kind, strings.TrimSpace(text)}, nil
	}
	return message{}, fmt.Errorf("unknown message %q", line)
}

// send writes a message.
func send(ctx context.Context, s *netio.Stream, m message) error {
	_, err := s.Write(ctx, fmt.Appendf(nil, "%s:%s\r\n", m.kind, m.text))
	return err
}

// answer serves a connection.
func answer(ctx context.Context, s *netio.Stream) error {
	fmt.Println("Connection made")
	defer fmt.Println("Connection lost")
	for {
		m, err := receive(ctx, s)
		if err != nil {
			return err
		}
		fmt.Printf("Message received: %+v\n", m)
		switch m.kind {
		case "ping":
			err = send(ctx, s, message{kind: "pong"})
		case "text":
			err = send(ctx, s, message{"text", "Re: " + m.text})
		case "stop":
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// talk is the client.
func talk(ctx context.Context, address string) error {
	s, err := netio.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := send(ctx, s, message{kind: "ping"}); err != nil {
		return err
	}
	for {
		m, err := receive(ctx, s)
		if err == io.EOF {
			fmt.Println("Server has been disconnected.")
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("Message received: %+v\n", m)
		switch m.kind {
		case "pong":
			const text = "This is the message. It will be echoed."
			if err := send(ctx, s, message{"text", text}); err != nil {
				return err
			}
			fmt.Println("data sent:", text)
		case "text":
			if err := send(ctx, s, message{kind: "stop"}); err != nil {
				return err
			}
			fmt.Println("stop sent")
			return nil
		}
	}
}
