// SPDX-License-Identifier: Apache-2.0

// Echo_client sends three lines to echo_server and prints the answers, up to the last of the
// lines.
//
//	go run ./examples/echo_server   # Ctrl-C ends it
//	go run ./examples/echo_client   # in another terminal
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strconv"

	"baton/netio"
	"baton/task"
)

const end = "Bye-bye!"

var port = flag.Int("port", 8000, "port number")

func main() {
	flag.Parse()
	task.Main(talk)
}

func talk(ctx context.Context) error {
	s, err := netio.Dial(ctx, "tcp", net.JoinHostPort("localhost", strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	defer s.Close()
	for _, line := range []string{"Hello, world", "What a fine day it is.", end} {
		if _, err := s.Write(ctx, []byte(line+"\n")); err != nil {
			return err
		}
	}
	for line, err := range s.Lines(ctx) {
		if err != nil {
			return err
		}
		fmt.Printf("received: %q\n", line)
		if line == end {
			break
		}
	}
	return nil
}
