// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Server and client run in a simulated world.
func Example() {
	*asServer, *asClient = true, true
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), run))
	// Output:
	// serving on 127.0.0.1:9999
	// Connection made
	// Message received: {kind:ping text:}
	// Message received: {kind:pong text:}
	// data sent: This is the message. It will be echoed.
	// Message received: {kind:text text:This is the message. It will be echoed.}
	// Message received: {kind:text text:Re: This is the message. It will be echoed.}
	// stop sent
	// Message received: {kind:stop text:}
	// Connection lost
	// <nil>
}

// The client ends when the server closes the connection.
func Example_disconnected() {
	*asServer, *asClient = false, true
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:9999")
		if err != nil {
			return err
		}
		defer ln.Close()
		task.Go(ctx, func(ctx context.Context) error {
			s, err := ln.Accept(ctx)
			if err != nil {
				return err
			}
			return s.Close()
		})
		return run(ctx)
	}))
	// Output:
	// Server has been disconnected.
	// <nil>
}

// The packets that a message arrives in make no difference.
func TestReceive(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want []message
		err  string
	}{
		{"", nil, "EOF"},
		{"ping:\r\npong:\r\nstop:\r\n", []message{{kind: "ping"}, {kind: "pong"}, {kind: "stop"}}, "EOF"},
		{"text: hello: world \r\ntext:\n", []message{{"text", "hello: world"}, {"text", ""}}, "EOF"},
		{"ping:\r\npi", []message{{kind: "ping"}}, io.ErrUnexpectedEOF.Error()},
		{"peng:\r\n", nil, `unknown message "peng:"`},
	} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			task.Go(ctx, func(ctx context.Context) error { return trickle(ctx, ln.Addr().String(), c.raw) })
			s, err := ln.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var got []message
			m, err := receive(ctx, s)
			for ; err == nil; m, err = receive(ctx, s) {
				got = append(got, m)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) || err.Error() != c.err {
				t.Errorf("%q: %v, %v, want %v, %s", c.raw, got, err, c.want, c.err)
			}
		})
	}
}

// trickle sends one byte a second.
func trickle(ctx context.Context, address, raw string) error {
	s, err := netio.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range len(raw) {
		if err := await.Sleep(ctx, time.Second); err != nil {
			return err
		}
		if _, err := s.Write(ctx, []byte{raw[i]}); err != nil {
			return err
		}
	}
	return nil
}
