// SPDX-License-Identifier: Apache-2.0

//go:build !race

package httpio_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"baton/loop/poll"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// A small request on a kept connection costs few allocations, most of them in the parser of
// package net/http. The client allocates nothing.
func TestAllocationsOfARequest(t *testing.T) {
	const most = 11
	srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello, world")
	})}
	err := task.Run(t.Context(), func(ctx context.Context) error {
		if !task.Loop(ctx).Poller().Caps().Has(poll.Provided) {
			return nil // package net allocates here
		}
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		c, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		sent := []byte("GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n")
		answer := make([]byte, 1024)
		exchange := func() {
			if _, err := c.Write(ctx, sent); err != nil {
				t.Error(err)
			}
			if n, err := c.Read(ctx, answer); n < 100 || err != nil {
				t.Errorf("%q, %v", answer[:n], err)
			}
		}
		for range 10 {
			exchange()
		}
		if n := testing.AllocsPerRun(500, exchange); n > most {
			t.Errorf("%v allocations, want %d at most", n, most)
		}
		_ = c.Close()
		return srv.Shutdown(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}
