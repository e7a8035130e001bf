// SPDX-License-Identifier: Apache-2.0

// Fetch0 is the simplest HTTP client. It prints the front page of python.org to standard
// output, and the request and the header of the response to standard error. The examples
// fetch1, fetch2 and fetch3 each add something.
//
//	go run ./examples/fetch0
//	go run ./examples/fetch0 --host localhost --port 8080
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"

	"baton/netio"
	"baton/task"
)

var (
	host = flag.String("host", "python.org", "host name")
	port = flag.Int("port", 80, "port number")
)

func main() {
	flag.Parse()
	task.Main(fetch)
}

func fetch(ctx context.Context) error {
	s, err := netio.Dial(ctx, "tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Fprintln(os.Stderr, "> GET / HTTP/1.0")
	if _, err := s.Write(ctx, []byte("GET / HTTP/1.0\r\nHost: "+*host+"\r\n\r\n")); err != nil {
		return err
	}
	for line, err := range s.Lines(ctx) {
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		fmt.Fprintln(os.Stderr, "<", line)
	}
	fmt.Fprintln(os.Stderr)
	body, err := s.ReadAll(ctx, 16<<20)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(body)
	return err
}
