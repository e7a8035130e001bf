// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio/httpio"
)

const (
	getRoot  = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	getClose = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)

func greet(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

// A head that arrives byte by byte is cut off when ReadHeaderTimeout has passed since its first
// byte. This holds for a first and for a later request.
func TestSlowHeadIsCutOff(t *testing.T) {
	for _, before := range []string{"", getRoot} {
		inSim(t, greet, func(srv *httpio.Server) { srv.ReadHeaderTimeout = 5 * time.Second }, func(s *simServer) {
			c := s.dial(before)
			if before != "" {
				s.answer(c, fine("hello"))
				s.sleep(time.Hour) // the timeout does not run between requests
			}
			began := s.since()
			for i := range 20 {
				if _, err := c.Write(s.ctx, []byte{getRoot[i]}); err != nil {
					break
				}
				s.sleep(time.Second)
			}
			if got, err := c.ReadAll(s.ctx, 1000); !strings.HasPrefix(string(got), "HTTP/1.1 400 ") {
				s.t.Errorf("got %q, %v after %v", got, err, s.since()-began)
			}
			_ = c.Close()
			if d := s.since() - began; d > 7*time.Second {
				s.t.Errorf("cut after %v", d)
			}
		})
	}
}

// The connection ends exactly when the timeout has passed, even if the client sends nothing.
func TestReadTimeouts(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(*httpio.Server)
		sent string
		want time.Duration
	}{
		"no byte":              {func(srv *httpio.Server) { srv.ReadHeaderTimeout = 5 * time.Second }, "", 5 * time.Second},
		"no byte, ReadTimeout": {func(srv *httpio.Server) { srv.ReadTimeout = 6 * time.Second }, "", 6 * time.Second},
		"part of a head":       {func(srv *httpio.Server) { srv.ReadHeaderTimeout = 5 * time.Second }, "GET /", 5 * time.Second},
		"both":                 {func(srv *httpio.Server) { srv.ReadHeaderTimeout, srv.ReadTimeout = 5*time.Second, time.Second }, "GET /", 5 * time.Second},
		"idle":                 {func(srv *httpio.Server) { srv.IdleTimeout, srv.ReadTimeout = 7*time.Second, time.Second }, getRoot, 7 * time.Second},
		"idle, ReadTimeout":    {func(srv *httpio.Server) { srv.ReadTimeout = 6 * time.Second }, getRoot, 6 * time.Second},
		"TLS that never begins": {func(srv *httpio.Server) {
			srv.TLSConfig, _ = certificate()
			srv.ReadHeaderTimeout = 5 * time.Second
		}, "", 5 * time.Second},
	} {
		certificate()
		inSim(t, greet, test.set, func(s *simServer) {
			got := s.rest(s.dial(test.sent))
			if want := strings.HasPrefix(test.sent, getRoot); (got == fine("hello")) != want || s.since() != test.want {
				s.t.Errorf("%s: %q after %v, want %v", name, got, s.since(), test.want)
			}
		})
	}
}

// ReadTimeout limits the reading of the body. It does not limit the handler, and does not cancel
// its context.
func TestReadTimeoutBoundsTheBodyAndNotTheHandler(t *testing.T) {
	var err error
	h := func(w http.ResponseWriter, r *http.Request) {
		if _, err = io.ReadAll(r.Body); err == nil {
			err = await.Sleep(r.Context(), time.Minute)
		}
		io.WriteString(w, "done")
	}
	set := func(srv *httpio.Server) { srv.ReadTimeout = 5 * time.Second }
	inSim(t, h, set, func(s *simServer) {
		got := s.rest(s.dial("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"))
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(got, "\r\nConnection: close\r\n") || s.since() > 6*time.Second {
			s.t.Errorf("%v, %q after %v", err, got, s.since())
		}
	})
	inSim(t, h, set, func(s *simServer) {
		got := s.rest(s.dial(getClose))
		if err != nil || !strings.HasSuffix(got, "done") || s.since() != time.Minute {
			s.t.Errorf("%v, %q after %v", err, got, s.since())
		}
	})
}

// WriteTimeout ends a response that the client does not read.
func TestWriteTimeoutEndsAResponseThatIsNotRead(t *testing.T) {
	var err error
	ended := false
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended = true }()
		for range 1000 {
			if _, err = w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}, func(srv *httpio.Server) { srv.WriteTimeout = 5 * time.Second }, func(s *simServer) {
		c := s.dial(getRoot)
		defer c.Close()
		s.sleep(5*time.Second + time.Millisecond)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !ended {
			s.t.Errorf("%v after %v", err, s.since())
		}
	})
}

// A deadline of http.ResponseController replaces the server's, for its own request only.
func TestHandlerDeadlinesAreForItsRequestOnly(t *testing.T) {
	var errs []error
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.Method == "POST" {
			now := time.Now()
			errs = append(errs, rc.SetReadDeadline(now.Add(10*time.Second)), rc.SetWriteDeadline(now.Add(25*time.Second)))
		}
		_, err := io.ReadAll(r.Body)
		errs = append(errs, err)
		errs = append(errs, await.Sleep(r.Context(), 15*time.Second))
		io.WriteString(w, "hello")
		errs = append(errs, rc.Flush())
	}, func(srv *httpio.Server) { srv.ReadTimeout = time.Second }, func(s *simServer) {
		c := s.dial("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
		s.sleep(5 * time.Second)
		s.send(c, "abc"+getClose)
		got := s.rest(c)
		if err := errors.Join(errs...); err != nil || strings.Count(got, "200 OK") != 2 || s.since() != 35*time.Second {
			s.t.Errorf("%v, %q after %v", err, got, s.since())
		}
	})
}

// After a timeout, a later deadline lets a handler read on, unless the body is chunked.
func TestBodyReadContinuesAfterTimeout(t *testing.T) {
	for _, row := range []struct {
		name, head, rest string
		want             string
	}{
		{"with a length", "Content-Length: 6\r\n\r\nabc", "def", "abcdef"},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "", "abc"},
	} {
		var first, second error
		var got []byte
		inSim(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			first = rc.SetReadDeadline(time.Now().Add(time.Second))
			if first == nil {
				got, first = io.ReadAll(r.Body)
			}
			second = rc.SetReadDeadline(time.Now().Add(time.Minute))
			if second == nil {
				var more []byte
				more, second = io.ReadAll(r.Body)
				got = append(got, more...)
			}
		}, nil, func(s *simServer) {
			c := s.dial("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + row.head)
			s.sleep(2 * time.Second)
			if row.rest != "" {
				s.send(c, row.rest)
			}
			s.rest(c)
			complete := row.want == "abcdef"
			if !errors.Is(first, os.ErrDeadlineExceeded) || (second == nil) != complete || string(got) != row.want {
				s.t.Errorf("%s: %q, %v and %v", row.name, got, first, second)
			}
		})
	}
}

// A connection may be kept for an hour, which takes no time in a test.
func TestConnectionIsKeptForAnHour(t *testing.T) {
	inSim(t, greet, func(srv *httpio.Server) { srv.IdleTimeout = time.Hour }, func(s *simServer) {
		c := s.dial("")
		for range 5 {
			s.send(c, getRoot)
			s.answer(c, fine("hello"))
			s.sleep(time.Hour - time.Second)
		}
		s.send(c, getRoot)
		if got := s.rest(c); got != fine("hello") || s.since() != 6*time.Hour-5*time.Second {
			s.t.Errorf("%q after %v", got, s.since())
		}
	})
}
