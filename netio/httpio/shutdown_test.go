// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// hijacker hijacks a connection and calls fn with it.
func hijacker(t *testing.T, fn func(c net.Conn, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fn(c, r)
	}
}

// Hijacked connections can say goodbye: handlers learn of the shutdown by netio.UntilShutdown,
// other code by RegisterOnShutdown. Then the server ends at once.
func TestHijackedConnectionsSayGoodbye(t *testing.T) {
	for _, how := range []string{"Shutdown", "cancel"} {
		called := 0
		var others []net.Conn // in a program, goroutines would serve these connections
		h := hijacker(t, func(c net.Conn, r *http.Request) {
			if r.URL.Path == "/others" {
				others = append(others, c)
				return
			}
			defer c.Close()
			until, release := netio.UntilShutdown(r.Context())
			defer release()
			if err := await.Sleep(until, time.Hour); !errors.Is(context.Cause(until), netio.ErrShutdown) {
				t.Error(err)
			}
			io.WriteString(c, "bye")
		})
		inSim(t, h, func(srv *httpio.Server) {
			srv.RegisterOnShutdown(func(context.Context) { called++ })
			srv.RegisterOnShutdown(func(ctx context.Context) {
				if err := await.Sleep(ctx, time.Second); err != nil { // it may switch
					t.Error(err)
				}
				for _, c := range others {
					io.WriteString(c, "bye, others")
					_ = c.Close()
				}
			})
		}, func(s *simServer) {
			handler := s.dial(getRoot)
			others1, others2 := s.dial("GET /others HTTP/1.1\r\nHost: a\r\n\r\n"), s.dial("GET /others HTTP/1.1\r\nHost: a\r\n\r\n")
			s.sleep(time.Second)
			began := s.since()
			if how == "cancel" {
				s.cancel()
				s.sleep(time.Second + 1)
				if !errors.Is(s.err, context.Canceled) {
					t.Errorf("Serve: %v", s.err)
				}
			} else if err := s.srv.Shutdown(s.ctx); err != nil {
				t.Error(err)
			} else if d := s.since() - began; d != time.Second {
				t.Errorf("Shutdown took %v", d)
			}
			if got := s.rest(handler) + "; " + s.rest(others1) + "; " + s.rest(others2); got != "bye; bye, others; bye, others" || called != 1 {
				t.Errorf("%s: got %q", how, got)
			}
		})
	}
}

// After Grace, Shutdown cuts off a hijacked connection that stays open, and cancels a function of
// RegisterOnShutdown. Close cuts off at once, and does not call the functions.
func TestHijackedConnectionsAreCutOff(t *testing.T) {
	const grace = 10 * time.Second
	for _, shutdown := range []bool{true, false} {
		var called, ended time.Duration
		inSim(t, hijacker(t, func(net.Conn, *http.Request) {}), func(srv *httpio.Server) { srv.Grace = grace }, func(s *simServer) {
			s.srv.RegisterOnShutdown(func(ctx context.Context) {
				called = task.Now(ctx).Sub(s.began)
				_ = await.Sleep(ctx, time.Hour)
				ended = task.Now(ctx).Sub(s.began)
				if !errors.Is(context.Cause(ctx), netio.ErrShutdown) {
					t.Error(context.Cause(ctx))
				}
			})
			c := s.dial(getRoot)
			s.sleep(time.Second)
			if shutdown {
				var left *netio.LeftError
				if err := s.srv.Shutdown(s.ctx); !errors.As(err, &left) || left.Conns != 1 {
					t.Error(err)
				}
				if s.since() != time.Second+grace || called != time.Second || ended != time.Second+grace {
					t.Errorf("called after %v, ended after %v, all after %v", called, ended, s.since())
				}
			} else if err := s.srv.Close(); err != nil || called != 0 {
				t.Errorf("%v, called after %v", err, called)
			}
			if got, err := c.ReadAll(s.ctx, 100); len(got) > 0 || err == nil {
				t.Errorf("the client has got %q, %v", got, err)
			}
			_ = c.Close()
		})
	}
}

// A function of RegisterOnShutdown that panics, or whose task fails, is reported, and does not
// disturb the shutdown.
func TestFailingShutdownFunctionIsReported(t *testing.T) {
	lost := errors.New("lost")
	for what, f := range map[string]func(ctx context.Context){
		"oops": func(context.Context) { panic("oops") },
		"lost": func(ctx context.Context) { task.Go(ctx, func(context.Context) error { return lost }) },
	} {
		var reports []string
		inSim(t, func(w http.ResponseWriter, r *http.Request) {
			_ = await.Sleep(r.Context(), 5*time.Second)
			io.WriteString(w, "done")
		}, nil, func(s *simServer) {
			task.Loop(s.ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reports = append(reports, e.Err.Error()) })
			s.srv.RegisterOnShutdown(f)
			c := s.dial(getRoot)
			s.sleep(time.Second)
			if err := s.srv.Shutdown(s.ctx); err != nil {
				t.Error(err)
			}
			if got := s.rest(c); !strings.HasSuffix(got, "done") {
				t.Errorf("%s: got %q", what, got)
			}
		})
		if len(reports) != 1 || !strings.Contains(reports[0], what) {
			t.Errorf("%s: %q", what, reports)
		}
	}
}

// Shutdown ends TLS handshakes at once, because there is no request to answer.
func TestShutdownEndsHandshakes(t *testing.T) {
	for _, sent := range []string{"", "\x16\x03", "\x16\x03\x01\x00\xff\x01\x00"} {
		var errs strings.Builder
		inSim(t, nil, func(srv *httpio.Server) {
			srv.TLSConfig, _ = certificate()
			srv.ErrorLog = log.New(&errs, "", 0)
		}, func(s *simServer) {
			c := s.dial(sent)
			defer c.Close()
			s.sleep(time.Second)
			if err := s.srv.Shutdown(s.ctx); err != nil || s.since() != time.Second || errs.Len() > 0 {
				t.Errorf("after %q: %v after %v, %s", sent, err, s.since(), errs.String())
			}
		})
	}
}
