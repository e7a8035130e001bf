// SPDX-License-Identifier: Apache-2.0

// The tests belong to the package, because a program cannot be imported.

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/task"
)

const bufferSize = 4 << 10

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStyles: every style sends back what it receives, also more than a buffer at a time, and ends
// when its ctx ends.
func TestStyles(t *testing.T) {
	type server func(context.Context, string, listening) error
	styles := map[string]server{}
	config, err := serverTLS()
	if err != nil {
		t.Fatal(err)
	}
	for name, work := range map[string]handler{
		"buffer": {buffer: bufferSize},
		"copy":   {copy: true},
		"idle":   {buffer: bufferSize, idle: time.Hour},
		"TLS":    {buffer: bufferSize, tls: config},
	} {
		styles["goroutines, "+name] = func(ctx context.Context, address string, tell listening) error {
			work.buffer = bufferSize
			return serveGoroutines(ctx, address, work, tell)
		}
		for _, h := range []task.Handoff{task.Channel, task.Coroutine} {
			styles[fmt.Sprintf("baton, %v, %s", h, name)] = func(ctx context.Context, address string, tell listening) error {
				return serveBaton(ctx, h, address, work, tell)
			}
		}
	}
	for name, serve := range styles {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			addr, ended := make(chan net.Addr, 1), make(chan error, 1)
			go func() {
				ended <- serve(ctx, "127.0.0.1:0", func(a net.Addr) { addr <- a })
			}()
			select {
			case a := <-addr:
				exchange(t, a.String(), strings.HasSuffix(name, "TLS"))
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

func exchange(t *testing.T, addr string, crypt bool) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if crypt {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("hear, hear "), 2*bufferSize/11)
	got := make([]byte, len(sent))
	for range 3 {
		if _, err := c.Write(sent); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, sent) {
			t.Fatal("the echo differs from the message")
		}
	}
}

// TestServe: the flags select the server, and a wrong flag is an error. The server ends by itself.
func TestServe(t *testing.T) {
	for _, c := range []struct {
		style, handoff, poller string
		ok                     bool
	}{
		{"goroutines", "", "", true},
		{"baton", "channel", "portable", true},
		{"baton", "coroutine", "", true},
		{"threads", "channel", "", false},
		{"baton", "pigeon", "", false},
		{"baton", "channel", "crystal ball", false},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Setenv("BATON_POLLER", "")
			err := serve(0, c.style, c.handoff, c.poller, time.Millisecond, handler{buffer: bufferSize})
			if (err == nil) != c.ok {
				t.Errorf("serve = %v", err)
			}
		})
	}
}
