// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"testing"
	"time"

	"baton/task"
)

// TestUDP: with -udp every style sends datagrams back to their senders, and ends when its ctx ends.
func TestUDP(t *testing.T) {
	work := handler{buffer: bufferSize, udp: true}
	for name, serve := range map[string]func(ctx context.Context, tell listening) error{
		"goroutines": func(ctx context.Context, tell listening) error {
			return serveGoroutines(ctx, "127.0.0.1:0", work, tell)
		},
		"channel": func(ctx context.Context, tell listening) error {
			return serveBaton(ctx, task.Channel, "127.0.0.1:0", work, tell)
		},
		"coroutine": func(ctx context.Context, tell listening) error {
			return serveBaton(ctx, task.Coroutine, "127.0.0.1:0", work, tell)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			addr, ended := make(chan net.Addr, 1), make(chan error, 1)
			go func() { ended <- serve(ctx, func(a net.Addr) { addr <- a }) }()
			select {
			case a := <-addr:
				for _, text := range []string{"one", "two"} {
					c, err := net.Dial("udp", a.String())
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
						t.Fatal(err)
					}
					if _, err := c.Write([]byte(text)); err != nil {
						t.Fatal(err)
					}
					buf := make([]byte, bufferSize)
					if n, err := c.Read(buf); string(buf[:n]) != text || err != nil {
						t.Errorf("the echo is %q, %v", buf[:n], err)
					}
				}
			case err := <-ended:
				t.Fatalf("the server ended before it listened: %v", err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the server returned %v, want nil", err)
			}
		})
	}
}
