// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
)

// Shutdown ends idle connections at once, lets a request in progress finish, and after Grace cuts
// off a request that does not finish.
func TestShutdown(t *testing.T) {
	for name, test := range map[string]struct {
		works time.Duration // how long the handler runs; 0 means an idle connection
		want  time.Duration
		left  bool
	}{
		"idle":        {0, 0, false},
		"in progress": {5 * time.Second, 4 * time.Second, false},
		"stalled":     {time.Hour, 10 * time.Second, true},
	} {
		inSim(t, func(w http.ResponseWriter, r *http.Request) {
			_ = await.Sleep(r.Context(), test.works)
			io.WriteString(w, "hello")
		}, func(srv *httpio.Server) { srv.Grace = 10 * time.Second }, func(s *simServer) {
			fresh := s.dial("") // sends nothing
			c := s.dial(getRoot)
			s.sleep(time.Second)
			if test.works == 0 {
				s.answer(c, fine("hello"))
			}
			began := s.since()
			err := s.srv.Shutdown(s.ctx)
			var left *netio.LeftError
			if d := s.since() - began; d != test.want || errors.As(err, &left) != test.left || err != nil && !test.left {
				s.t.Errorf("%s: %v after %v, want %v", name, err, d, test.want)
			}
			got, err := c.ReadAll(s.ctx, 1000)
			if finished := strings.Contains(string(got), "\r\nConnection: close\r\n"); finished != (name == "in progress") {
				s.t.Errorf("%s: %q, %v", name, got, err)
			}
			_ = c.Close()
			_ = fresh.Close()
		})
	}
}

// When the client disconnects, its request is cancelled: with and without TLS, and also if the
// handler runs on a goroutine. A client that has only closed its sending direction still gets its
// response.
func TestRequestIsCancelledWhenTheClientGoesAway(t *testing.T) {
	certificate()
	for _, how := range []string{"Close", "Abort", "CloseWrite"} {
		for _, encrypted := range []bool{false, true} {
			for _, body := range []string{"", "read"} {
				for _, blocking := range []bool{false, true} {
					clientGoes(t, how, encrypted, body, blocking)
				}
			}
		}
	}
}

func clientGoes(t *testing.T, how string, encrypted bool, body string, blocking bool) {
	name := fmt.Sprint(how, " ", encrypted, " ", body, " ", blocking)
	var cause error
	var ended bool
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended = true }()
		b, _ := io.ReadAll(r.Body)
		if blocking {
			<-r.Context().Done()
			cause = r.Context().Err()
		} else {
			cause = await.Sleep(r.Context(), time.Hour)
		}
		fmt.Fprintf(w, "answer %s", b)
	})
	if blocking {
		h = httpio.Blocking(h)
	}
	inSim(t, h.ServeHTTP, func(srv *httpio.Server) {
		if encrypted {
			srv.TLSConfig, _ = certificate()
		}
	}, func(s *simServer) {
		if encrypted {
			_, s.tls = certificate()
		}
		c := s.dial(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		s.sleep(time.Second)
		var err error
		switch how {
		case "Close":
			err = c.Close()
		case "Abort":
			err = c.Abort()
		case "CloseWrite":
			if err = c.CloseWrite(); err == nil {
				if got := s.rest(c); !strings.HasSuffix(got, "answer "+body) {
					s.t.Errorf("%s: got %q", name, got)
				}
			}
		}
		s.sleep(time.Second)
		if err != nil || !ended || !errors.Is(cause, context.Canceled) {
			s.t.Errorf("%s: %v, the handler has ended: %v, %v", name, err, ended, cause)
		}
	})
}

// While a body has unread bytes, only a Read notices that the client has disconnected, as in
// package net/http.
func TestOnlyReadNoticesTheClientBeforeTheEndOfTheBody(t *testing.T) {
	var slept, read error
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		slept = await.Sleep(r.Context(), time.Minute)
		_, read = io.ReadAll(r.Body)
	}, nil, func(s *simServer) {
		c := s.dial("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
		s.sleep(time.Second)
		_ = c.Close()
		s.sleep(time.Minute)
		if slept != nil || read != io.ErrUnexpectedEOF {
			s.t.Errorf("Sleep %v, Read %v", slept, read)
		}
	})
}

// A handler of server-sent events ends when the client disconnects.
func TestServerSentEventsEndWithTheClient(t *testing.T) {
	sent, ended := 0, false
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for await.Sleep(r.Context(), time.Second) == nil {
			sent++
			fmt.Fprintf(w, "data: %d\n\n", sent)
			w.(http.Flusher).Flush()
		}
		ended = true
	}, nil, func(s *simServer) {
		c := s.dial(getRoot)
		if _, err := c.ReadUntil(s.ctx, []byte("data: 3\n\n")); err != nil {
			s.t.Error(err)
		}
		s.sleep(500 * time.Millisecond)
		_ = c.Close()
		s.sleep(2 * time.Second)
		if !ended || sent != 3 {
			s.t.Errorf("ended %v after %d events", ended, sent)
		}
	})
}
