// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Server and client run in a simulated world.
func Example() {
	stderr := os.Stderr
	os.Stderr = os.Stdout
	defer func() { os.Stderr = stderr }()
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), run))
	// Output:
	// > add 1 2
	// < 3
	// > repeat 5 hello
	// < begin
	// < 1. hello
	// < 2. hello
	// < 3. hello
	// < 4. hello
	// < 5. hello
	// < end
	// client task done: task 3 (simple_tcp_server.handle)
	// <nil>
}

// The server sends no answer to an unknown command.
func Example_bad() {
	stderr := os.Stderr
	os.Stderr = os.Stdout
	defer func() { os.Stderr = stderr }()
	answer, err := execute("subtract 1 2")
	fmt.Printf("%q %v\n", answer, err)
	// Output:
	// Bad command "subtract 1 2"
	// "" <nil>
}

func TestExecute(t *testing.T) {
	for line, want := range map[string]string{
		"add 1.5 -3":    "-1.5\n",
		"repeat 0 x":    "begin\nend\n",
		"repeat 2 x y":  "begin\n1. x\n2. x\nend\n",
		"add 1":         "",
		"add 1 two":     "",
		"repeat many x": "",
	} {
		answer, err := execute(line)
		if string(answer) != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", line, answer, err, want)
		}
	}
}

// A command with wrong arguments ends its connection. The server reports the error.
func TestFailure(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		var reported error
		server := &netio.Server{OnError: func(_ *netio.Stream, err error) { reported = err }}
		task.Go(ctx, func(ctx context.Context) error { return server.ServeListener(ctx, ln, handle) })
		s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Write(ctx, []byte("add 1\n")); err != nil {
			t.Fatal(err)
		}
		if line, err := s.ReadLine(ctx); err != io.EOF {
			t.Errorf("the server answers %q, %v, want the end of the connection", line, err)
		}
		if want := `bad arguments in "add 1": `; reported == nil || !strings.HasPrefix(reported.Error(), want) {
			t.Errorf("the server reports %v, want %s", reported, want)
		}
	})
}
