// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// BenchmarkServerHello answers over one kept connection, client included, which allocates
// nothing.
func BenchmarkServerHello(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello, world") })
	err := task.Run(b.Context(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &httpio.Server{Handler: h}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		c, err := netio.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		sent := []byte("GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n")
		answer := make([]byte, 1024)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := c.Write(ctx, sent); err != nil {
				return err
			}
			n, err := c.Read(ctx, answer)
			if err != nil {
				return err
			}
			if n < 100 {
				b.Fatalf("%q", answer[:n])
			}
		}
		_ = c.Close()
		return srv.Shutdown(ctx)
	})
	if err != nil {
		b.Error(err)
	}
}
