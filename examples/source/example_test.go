// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play runs the source in a simulated world, with a server that serves one client. It returns
// the output of the source.
func play(serve netio.Handler) (string, error) {
	var log strings.Builder
	world := virtual.New(virtual.Config{})
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:1111")
		if err != nil {
			return err
		}
		return task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				defer ln.Close()
				s, err := ln.Accept(ctx)
				if err != nil {
					return err
				}
				return serve(ctx, s)
			})
			return run(ctx, &log)
		})
	})
	return log.String(), err
}

// The source writes until the server closes the connection, whether or not the server reads.
func TestSource(t *testing.T) {
	log, err := play(func(ctx context.Context, s *netio.Stream) error {
		if _, err := s.ReadFull(ctx, make([]byte, 3**size)); err != nil {
			return err
		}
		return s.Abort()
	})
	if err != nil {
		t.Error(err)
	}
	const writing = "source: writing 16384 bytes\n"
	if n := strings.Count(log, writing); n < 3 {
		t.Errorf("%d writes, want at least the 3 that the server has read", n)
	}
	before, after, _ := strings.Cut(log, writing)
	if want := "source: connected to 127.0.0.1:1111\nsource: my socket is 127.0.0.1:49152\n"; before != want {
		t.Errorf("begins with %q, want %q", before, want)
	}
	lost := regexp.MustCompile("^source: lost connection .*: connection reset by peer\n(source: lost already\n)?$")
	if after = strings.ReplaceAll(after, writing, ""); !lost.MatchString(after) {
		t.Errorf("ends with %q, want a lost connection", after)
	}
}

// With --stop the source sends the word stop.
func Example_stop() {
	*stop = true
	defer func() { *stop = false }()
	log, err := play(func(ctx context.Context, s *netio.Stream) error {
		word, err := s.ReadAll(ctx, 100)
		if err != nil && err != io.EOF {
			return err
		}
		fmt.Printf("server: %s\n", word)
		return s.Close()
	})
	fmt.Print(log, err)
	// Output:
	// server: stop
	// source: connected to 127.0.0.1:1111
	// source: my socket is 127.0.0.1:49152
	// source: lost connection <nil>
	// <nil>
}
