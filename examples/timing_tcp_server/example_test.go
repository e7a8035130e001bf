// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Server and client run in a simulated world, where only waiting takes time.
func Example() {
	limit = 20_000
	stderr := os.Stderr
	os.Stderr = os.Stdout
	defer func() { os.Stderr = stderr }()
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), run))
	// Output:
	// > add 1 2
	// < 3
	// > repeat 100 hello world
	// < begin
	// Time taken: 0.000 seconds (0.000000 per repetition)
	// > repeat 10100 hello world
	// < begin
	// Time taken: 0.000 seconds (0.000000 per repetition)
	// client task done: task 3 (timing_tcp_server.handle)
	// <nil>
}

// An answer has every line once, in order, also if the server sends it in many writes.
func TestRepeat(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		task.Go(ctx, func(ctx context.Context) error {
			s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer s.Close()
			return repeat(ctx, s, 5000, "hello")
		})
		s, err := ln.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		answer, err := s.ReadAll(ctx, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		want := []byte("begin\n")
		for i := range 5000 {
			want = fmt.Appendf(want, "%d. hello\n", i+1)
		}
		want = append(want, "end\n"...)
		if got := regexp.MustCompile("x{10,50}\n").ReplaceAll(answer, []byte("\n")); !bytes.Equal(got, want) {
			t.Errorf("the answer is %.200q", got)
		}
	})
}
