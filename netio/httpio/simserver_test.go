// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

// A simServer is a server in a simulated world, with functions for its clients.
type simServer struct {
	ctx    context.Context
	t      *testing.T
	srv    *httpio.Server
	began  time.Time
	err    error  // of Serve
	cancel func() // of the ctx of Serve
	tls    *tls.Config
}

// inSim runs fn while a server serves h in a simulated world. If set is not nil, it changes the
// server first.
func inSim(t *testing.T, h http.HandlerFunc, set func(*httpio.Server), fn func(s *simServer)) {
	t.Helper()
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := &simServer{ctx: ctx, t: t, srv: &httpio.Server{Handler: h}, began: task.Now(ctx)}
		if set != nil {
			set(s.srv)
		}
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		serving := task.Go(ctx, func(ctx context.Context) error {
			s.err = s.srv.Serve(ctx, ln)
			return nil
		})
		s.cancel = func() { serving.Cancel(nil) }
		fn(s)
		if err := s.srv.Close(); err != nil {
			t.Error(err)
		}
	})
}

// since returns the time since the start.
func (s *simServer) since() time.Duration { return task.Now(s.ctx).Sub(s.began) }

func (s *simServer) sleep(d time.Duration) {
	s.t.Helper()
	if err := await.Sleep(s.ctx, d); err != nil {
		s.t.Fatal(err)
	}
}

// dial connects a client and sends text.
func (s *simServer) dial(sent string) *netio.Stream {
	s.t.Helper()
	c, err := netio.Dial(s.ctx, "tcp", "127.0.0.1:80")
	if err == nil && s.tls != nil {
		err = c.StartTLS(s.ctx, s.tls)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.send(c, sent)
	return c
}

func (s *simServer) send(c *netio.Stream, text string) {
	s.t.Helper()
	if _, err := c.Write(s.ctx, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// rest reads until the end of the stream, and closes the connection.
func (s *simServer) rest(c *netio.Stream) string {
	s.t.Helper()
	got, err := c.ReadAll(s.ctx, 10<<20)
	if err != nil {
		s.t.Errorf("%.100q: %v", got, err)
	}
	_ = c.Close()
	return dates.ReplaceAllString(string(got), "")
}

// answer reads as many bytes as want has, and compares them.
func (s *simServer) answer(c *netio.Stream, want string) {
	s.t.Helper()
	got := make([]byte, len(want)+len("Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"))
	n, err := c.ReadFull(s.ctx, got)
	if text := dates.ReplaceAllString(string(got[:n]), ""); text != want || err != nil {
		s.t.Fatalf("got %q, %v, want %q", text, err, want)
	}
}

// fine returns a response with status 200.
func fine(body string) string {
	text := "HTTP/1.1 200 OK\r\n"
	if body == "" {
		return text + "Content-Length: 0\r\n\r\n"
	}
	return text + "Content-Length: " + strconv.Itoa(len(body)) + "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body
}

// certificate returns configs with the certificate of package httptest. They belong to the caller:
// package net/http changes the config of a server. The first call must come from outside a bubble of
// package synctest.
func certificate() (server, client *tls.Config) {
	server, client = certificateOnce()
	return server.Clone(), client.Clone()
}

var certificateOnce = sync.OnceValues(func() (server, client *tls.Config) {
	peer := httptest.NewTLSServer(nil)
	defer peer.Close()
	client = peer.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	return &tls.Config{Certificates: peer.TLS.Certificates}, client
})
