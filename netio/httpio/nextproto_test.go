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

// plainest serves a protocol of lines: each is a path, which the body of the answer follows.
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

// A plainAnswer is an http.ResponseWriter that writes the body only.
type plainAnswer struct {
	io.Writer
	header http.Header
}

func (a *plainAnswer) Header() http.Header { return a.header }
func (a *plainAnswer) WriteHeader(int)     {}

// inPlainest runs fn beside a server that speaks HTTP/1.1 and the plainest protocol.
func inPlainest(t *testing.T, h http.HandlerFunc, set func(*httpio.Server), fn func(s *site)) {
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

// speak connects a client that offers protocols.
func (s *site) speak(sent string, protocols ...string) *netio.Stream {
	s.t.Helper()
	_, config := certificate()
	s.tls = config.Clone()
	s.tls.NextProtos = protocols
	return s.dial(sent)
}

// hear reads as many bytes as want has.
func (s *site) hear(c *netio.Stream, want string) {
	s.t.Helper()
	got := make([]byte, len(want))
	if n, err := c.ReadFull(s.ctx, got); string(got) != want {
		s.t.Errorf("got %q, %v, want %q", got[:n], err, want)
	}
}

// A client chooses the protocol by ALPN. A function serves the connection on a goroutine, and
// its requests are tasks of the loop.
func TestNextProtocol(t *testing.T) {
	var states []http.ConnState
	visits := 0
	inPlainest(t, func(w http.ResponseWriter, r *http.Request) {
		visits++
		fmt.Fprintln(w, r.URL.Path, r.TLS.NegotiatedProtocol, task.Yield(r.Context()))
	}, func(srv *httpio.Server) {
		srv.ConnState = func(_ net.Conn, state http.ConnState) { states = append(states, state) }
	}, func(s *site) {
		c := s.speak("/a\n/b\n", "http/1.1", "plainest")
		s.hear(c, "/a plainest <nil>\n/b plainest <nil>\n")
		_ = c.Close()
		s.sleep(time.Second)
		if !slices.Equal(states, []http.ConnState{http.StateNew, http.StateActive, http.StateClosed}) {
			s.t.Error(states)
		}
		for _, protocols := range [][]string{{"http/1.1"}, nil} {
			c = s.speak(getRoot, protocols...)
			s.hear(c, "HTTP/1.1 200 OK\r\n")
			_ = c.Close()
		}
	})
	if visits != 4 {
		t.Error(visits)
	}
}

// Of two protocols that a client offers, the server chooses one of the map rather than
// HTTP/1.1, unless TLSConfig.NextProtos says otherwise.
func TestTheOrderOfProtocolsIsThatOfTheConfig(t *testing.T) {
	for _, order := range [][]string{nil, {"http/1.1", "plainest"}} {
		inPlainest(t, greet, func(srv *httpio.Server) {
			srv.TLSConfig = srv.TLSConfig.Clone()
			srv.TLSConfig.NextProtos = order
		}, func(s *site) {
			c := s.speak("", "http/1.1", "plainest")
			if got := c.ConnectionState().NegotiatedProtocol; (got == "plainest") != (order == nil) {
				s.t.Errorf("%v: %q", order, got)
			}
			_ = c.Close()
		})
	}
}

// The ctx of a function ends when the end of the server begins. A connection that is still
// there ends with the grace, and its request with it.
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
	}, func(s *site) {
		c := s.speak("/\n", "plainest")
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

// A panic of a function ends its own connection only, and is reported.
func TestNextProtocolThatPanics(t *testing.T) {
	var reports []loop.Exception
	inPlainest(t, greet, func(srv *httpio.Server) {
		srv.TLSNextProto["panics"] = func(context.Context, net.Conn, http.Handler) { panic("oops") }
	}, func(s *site) {
		task.Loop(s.ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reports = append(reports, e) })
		c := s.speak("", "plainest")
		if got := s.rest(s.speak("", "panics")); got != "" {
			s.t.Errorf("got %q", got)
		}
		s.send(c, "/\n")
		s.hear(c, "hello")
		_ = c.Close()
	})
	if len(reports) != 1 {
		t.Error(reports)
	}
}
