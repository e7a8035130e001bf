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

// BenchmarkServe is a request and its answer on a kept connection, both ends on one loop.
func BenchmarkServe(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "hello, world")
	})
	err := task.Run(b.Context(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &httpio.Server{Handler: h, Grace: -1}
		return task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
			defer srv.Close()
			s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer s.Close()
			request := []byte("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n")
			answer := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Write(ctx, request); err != nil {
					return err
				}
				if _, err := s.Read(ctx, answer); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		b.Error(err)
	}
}
