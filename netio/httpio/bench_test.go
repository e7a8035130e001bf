// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// BenchmarkServe measures a request and its response on a kept connection, with both ends on one
// loop.
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

// BenchmarkOnLoop measures a request to the server of package net/http on a kept connection. The
// handler runs on its goroutine or as a task of a loop. The response has 12 bytes, or 64 KiB
// written in lines; the request has no body or a body that the handler reads.
func BenchmarkOnLoop(b *testing.B) {
	line := strings.Repeat("x", 63) + "\n"
	for _, size := range []struct {
		name    string
		request string
		lines   int
	}{
		{"short", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		{"body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello, world", 0},
		{"64KiB", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1024},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", strconv.Itoa(12+size.lines*len(line)))
			_, _ = io.Copy(io.Discard, r.Body)
			for range size.lines {
				_, _ = io.WriteString(w, line)
			}
			_, _ = io.WriteString(w, "hello, world")
		})
		for _, where := range []struct {
			name string
			h    http.Handler
		}{{"goroutine", h}, {"loop", httpio.OnLoop(newPortal(b), h)}} {
			b.Run(size.name+"/"+where.name, func(b *testing.B) {
				s := newHTTPServer(b, where.h, 1)
				c, err := net.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				answers := bufio.NewReader(c)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := io.WriteString(c, size.request); err != nil {
						b.Fatal(err)
					}
					resp, err := http.ReadResponse(answers, nil)
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
