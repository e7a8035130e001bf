// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// plainest serves a line protocol: each line is a path, and the answer is the body of the response.
func plainest(_ context.Context, c net.Conn, h http.Handler) {
	state := c.(interface{ ConnectionState() tls.ConnectionState }).ConnectionState()
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		r, err := http.NewRequest("GET", lines.Text(), nil)
		if err != nil {
			return
		}
		r.TLS = &state
		h.ServeHTTP(&plainAnswer{c, http.Header{}}, r)
	}
}

// A plainAnswer is an http.ResponseWriter that writes only the body.
type plainAnswer struct {
	io.Writer
	header http.Header
}

func (a *plainAnswer) Header() http.Header { return a.header }
func (a *plainAnswer) WriteHeader(int)     {}

// inPlainest runs fn while a server speaks HTTP/1.1 and the plainest protocol.
func inPlainest(t *testing.T, h http.HandlerFunc, set func(*httpio.Server), fn func(s *simServer)) {
	t.Helper()
	certificate()
	inSim(t, h, func(srv *httpio.Server) {
		srv.TLSConfig, _ = certificate()
		srv.TLSNextProto = map[string]func(context.Context, net.Conn, http.Handler){"plainest": plainest}
		if set != nil {
			set(srv)
		}
	}, fn)
}

// connect connects a client that offers protocols.
func (s *simServer) connect(sent string, protocols ...string) *netio.Stream {
	s.t.Helper()
	_, s.tls = certificate()
	s.tls.NextProtos = protocols
	return s.dial(sent)
}

// expect reads as many bytes as want has, and compares them.
func (s *simServer) expect(c *netio.Stream, want string) {
	s.t.Helper()
	got := make([]byte, len(want))
	if n, err := c.ReadFull(s.ctx, got); string(got) != want {
		s.t.Errorf("got %q, %v, want %q", got[:n], err, want)
	}
}

// A client chooses the protocol by ALPN. The function serves the connection on a goroutine, and
// its requests are tasks of the loop.
func TestNextProtocol(t *testing.T) {
	var states []http.ConnState
	visits := 0
	inPlainest(t, func(w http.ResponseWriter, r *http.Request) {
		visits++
		fmt.Fprintln(w, r.URL.Path, r.TLS.NegotiatedProtocol, task.Yield(r.Context()))
	}, func(srv *httpio.Server) {
		srv.ConnState = func(_ net.Conn, state http.ConnState) { states = append(states, state) }
	}, func(s *simServer) {
		c := s.connect("/a\n/b\n", "http/1.1", "plainest")
		s.expect(c, "/a plainest <nil>\n/b plainest <nil>\n")
		_ = c.Close()
		s.sleep(time.Second)
		if !slices.Equal(states, []http.ConnState{http.StateNew, http.StateActive, http.StateClosed}) {
			s.t.Error(states)
		}
		for _, protocols := range [][]string{{"http/1.1"}, nil} {
			c = s.connect(getRoot, protocols...)
			s.expect(c, "HTTP/1.1 200 OK\r\n")
			_ = c.Close()
		}
	})
	if visits != 4 {
		t.Error(visits)
	}
}

// If a client offers a protocol of the map and HTTP/1.1, the server prefers the map, unless
// TLSConfig.NextProtos has another order.
func TestNextProtosOfTLSConfigSetTheOrder(t *testing.T) {
	for _, order := range [][]string{nil, {"http/1.1", "plainest"}} {
		inPlainest(t, greet, func(srv *httpio.Server) {
			srv.TLSConfig.NextProtos = order
		}, func(s *simServer) {
			c := s.connect("", "http/1.1", "plainest")
			if got := c.ConnectionState().NegotiatedProtocol; (got == "plainest") != (order == nil) {
				s.t.Errorf("%v: %q", order, got)
			}
			_ = c.Close()
		})
	}
}

// The ctx of the function is cancelled when the end of the server begins. After Grace, a
// connection that is still open is closed, and its request is cancelled.
func TestNextProtocolEndsWithTheServer(t *testing.T) {
	var cause, handled error
	inPlainest(t, func(w http.ResponseWriter, r *http.Request) {
		handled = await.Forever(r.Context())
	}, func(srv *httpio.Server) {
		srv.Grace = 10 * time.Second
		srv.TLSNextProto["plainest"] = func(ctx context.Context, c net.Conn, h http.Handler) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			plainest(ctx, c, h)
		}
	}, func(s *simServer) {
		c := s.connect("/\n", "plainest")
		s.sleep(time.Second)
		began := s.since()
		var left *netio.LeftError
		if err := s.srv.Shutdown(s.ctx); !errors.As(err, &left) || s.since()-began != 10*time.Second {
			s.t.Errorf("%v after %v", err, s.since()-began)
		}
		_ = c.Close()
	})
	if !errors.Is(cause, netio.ErrShutdown) || !errors.Is(handled, netio.ErrShutdown) {
		t.Error(cause, handled)
	}
}

// A panic of the function ends only its own connection, and is reported.
func TestNextProtocolThatPanics(t *testing.T) {
	var reports []loop.Exception
	inPlainest(t, greet, func(srv *httpio.Server) {
		srv.TLSNextProto["panics"] = func(context.Context, net.Conn, http.Handler) { panic("oops") }
	}, func(s *simServer) {
		task.Loop(s.ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reports = append(reports, e) })
		c := s.connect("", "plainest")
		if got := s.rest(s.connect("", "panics")); got != "" {
			s.t.Errorf("got %q", got)
		}
		s.send(c, "/\n")
		s.expect(c, "hello")
		_ = c.Close()
	})
	if len(reports) != 1 {
		t.Error(reports)
	}
}
