// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// A panic of a handler ends its connection and is reported once, except http.ErrAbortHandler. The
// server continues.
func TestPanicEndsOnlyItsConnection(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		for _, logged := range []bool{false, true} {
			var log1 bytes.Buffer
			var reports []loop.Exception
			var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/panic":
					panic("oops")
				case "/abort":
					panic(http.ErrAbortHandler)
				}
				io.WriteString(w, "hello")
			})
			if blocking {
				h = httpio.Blocking(h)
			}
			inSim(t, h.ServeHTTP, func(srv *httpio.Server) {
				if logged {
					srv.ErrorLog = log.New(&log1, "", 0)
				}
			}, func(s *simServer) {
				task.Loop(s.ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reports = append(reports, e) })
				for _, path := range []string{"/abort", "/panic", "/abort"} {
					if got := s.rest(s.dial("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")); got != "" {
						s.t.Errorf("%s: %q", path, got)
					}
				}
				c := s.dial(getRoot)
				s.answer(c, fine("hello"))
				_ = c.Close()
			})
			lines := strings.Count(log1.String(), "http: panic serving 127.0.0.1:")
			if logged && (lines != 1 || len(reports) != 0) || !logged && (lines != 0 || len(reports) != 1) {
				t.Errorf("logged %q, reported %v", log1.String(), reports)
			}
		}
	}
}

// A runtime.Goexit in a handler ends the server, as in netio.
func TestGoexitEndsTheServer(t *testing.T) {
	inSim(t, func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, nil, func(s *simServer) {
		c := s.dial(getRoot)
		if got, _ := c.ReadAll(s.ctx, 1000); len(got) > 0 {
			s.t.Errorf("got %q", got)
		}
		_ = c.Close()
		s.sleep(time.Second)
		if !errors.Is(s.err, task.ErrGoexit) {
			s.t.Error(s.err)
		}
	})
}

// If a task that a handler has started fails, its error is reported, and the connection ends.
func TestErrorOfAHandlersTaskIsReported(t *testing.T) {
	lost := errors.New("lost")
	var reports []loop.Exception
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		task.Go(r.Context(), func(context.Context) error { return lost })
		io.WriteString(w, "hello")
		_ = await.Sleep(r.Context(), time.Second)
	}, nil, func(s *simServer) {
		task.Loop(s.ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reports = append(reports, e) })
		if got := s.rest(s.dial(getRoot)); got != fine("hello") {
			s.t.Errorf("got %q", got)
		}
	})
	if len(reports) != 1 || !errors.Is(reports[0].Err, lost) {
		t.Error(reports)
	}
}

// When a handler has returned, the context of its request is cancelled, and the next request waits
// for the tasks that are left.
func TestTasksOfAHandlerEndBeforeTheNextRequest(t *testing.T) {
	var events []string
	n := 0
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		i := n
		events = append(events, fmt.Sprint("handler ", i))
		task.Go(r.Context(), func(ctx context.Context) error {
			err := await.Sleep(ctx, time.Hour)
			shielded, release := task.Shield(ctx, time.Minute)
			defer release()
			_ = await.Sleep(shielded, time.Second)
			events = append(events, fmt.Sprint("task ", i, " ", errors.Is(err, context.Canceled), r.Context().Err() != nil))
			return err
		})
		_ = task.Yield(r.Context())
	}, nil, func(s *simServer) {
		s.rest(s.dial(getRoot + getClose))
	})
	if got := strings.Join(events, ", "); got != "handler 1, task 1 true true, handler 2, task 2 true true" {
		t.Error(got)
	}
}

// After the handler, its tasks and goroutines find the request unchanged; calls of the writer and
// the body fail.
func TestRequestIsUnchangedAfterItsHandler(t *testing.T) {
	var w1 http.ResponseWriter
	var r1 *http.Request
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		if r1 == nil {
			w1, r1 = w, r
		}
		w.Header().Set("X-Path", r.URL.Path)
		fmt.Fprintf(w, "%s", r.Header.Get("X"))
	}, func(srv *httpio.Server) { srv.ErrorLog = log.New(io.Discard, "", 0) }, func(s *simServer) {
		c := s.dial("POST /one HTTP/1.1\r\nHost: a\r\nX: first\r\nContent-Length: 3\r\n\r\nabc")
		want := "HTTP/1.1 200 OK\r\nX-Path: /%s\r\nContent-Length: %d\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s"
		s.answer(c, fmt.Sprintf(want, "one", 5, "first"))
		for range 3 {
			w1.WriteHeader(500)
			_, err := w1.Write(make([]byte, 10_000))
			_, _, hijack := w1.(http.Hijacker).Hijack()
			if err == nil || hijack == nil || http.NewResponseController(w1).Flush() == nil {
				s.t.Errorf("late calls: %v, %v", err, hijack)
			}
			if n, err := r1.Body.Read(make([]byte, 10)); n > 0 || err != http.ErrBodyReadAfterClose {
				s.t.Errorf("late Read: %d, %v", n, err)
			}
			s.send(c, "GET /two HTTP/1.1\r\nHost: a\r\nX: second\r\n\r\n")
			s.answer(c, fmt.Sprintf(want, "two", 6, "second"))
			if r1.Context().Err() == nil || r1.URL.Path != "/one" || r1.Header.Get("X") != "first" || w1.Header().Get("X-Path") != "/one" {
				s.t.Errorf("%v %v", r1.URL, r1.Header)
			}
		}
		_ = c.Close()
	})
}

// A task reads the body while the handler writes the response; neither waits for the other. If the
// handler returns first, the connection ends after the response.
func TestBodyIsReadWhileTheResponseIsWritten(t *testing.T) {
	for _, whole := range []bool{true, false} {
		for _, blocking := range []bool{false, true} {
			var got []byte
			var err error
			var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				read := func() { got, err = io.ReadAll(r.Body) }
				if blocking {
					done := make(chan struct{})
					go func() { read(); close(done) }()
					w.Write(bytes.Repeat([]byte("x"), 10_000))
					if whole {
						<-done
					}
					return
				}
				reader := task.Go(r.Context(), func(context.Context) error { read(); return nil })
				_ = await.Sleep(r.Context(), time.Millisecond)
				w.Write(bytes.Repeat([]byte("x"), 10_000))
				for whole && !reader.Done() {
					_ = await.Sleep(r.Context(), time.Second)
				}
			})
			if blocking {
				h = httpio.Blocking(h)
			}
			inSim(t, h.ServeHTTP, nil, func(s *simServer) {
				connection := "keep-alive"
				if blocking { // otherwise the server may read the body before the goroutine does
					connection = "close"
				}
				c := s.dial("POST / HTTP/1.1\r\nHost: a\r\nConnection: " + connection + "\r\nContent-Length: 6\r\n\r\nabc")
				s.sleep(time.Second)
				if whole {
					s.send(c, "def")
				}
				if text := s.rest(c); strings.Count(text, "x") != 10_001 { // one is in "text/plain"
					s.t.Errorf("whole %v: %.100q", whole, text)
				}
			})
			if whole && (string(got) != "abcdef" || err != nil) || !whole && !blocking && err == nil {
				t.Errorf("whole %v, blocking %v: %q, %v", whole, blocking, got, err)
			}
		}
	}
}

// A task that the handler has started may write the response, and so may a goroutine.
func TestTasksAndGoroutinesWriteAResponse(t *testing.T) {
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		_ = task.Scope(r.Context(), func(ctx context.Context) error {
			task.Go(ctx, func(context.Context) error {
				io.WriteString(w, "task ")
				w.(http.Flusher).Flush()
				return nil
			})
			return nil
		})
		_, _ = await.Blocking(r.Context(), func(context.Context) (int, error) {
			w.Write(bytes.Repeat([]byte("g"), 5000))
			w.(http.Flusher).Flush()
			return 0, nil
		})
		io.WriteString(w, "home")
	}, nil, func(s *simServer) {
		got := s.rest(s.dial(getClose))
		want := "\r\n\r\n5\r\ntask \r\n1388\r\n" + strings.Repeat("g", 5000) + "\r\n4\r\nhome\r\n0\r\n\r\n"
		if !strings.HasSuffix(got, want) {
			s.t.Errorf("got %.200q", got)
		}
	})
}

// A thousand requests in one write are answered one by one.
func TestThousandPipelinedRequests(t *testing.T) {
	n := 0
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %s", n, b)
		n++
	}, nil, func(s *simServer) {
		c := s.dial("")
		var all strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&all, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%04d", i)
		}
		task.Go(s.ctx, func(ctx context.Context) error {
			_, err := c.Write(ctx, []byte(all.String()))
			return err
		})
		for i := range 1000 {
			s.answer(c, fine(fmt.Sprintf("%d %04d", i, i)))
		}
		_ = c.Close()
	})
}

// The handler's goroutines may use a hijacked connection until they close it.
func TestGoroutinesUseAHijackedConnection(t *testing.T) {
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func(c net.Conn) {
			defer c.Close()
			_, _ = io.Copy(c, rw)
		}(c)
	}, nil, func(s *simServer) {
		c := s.dial(getRoot + "early ")
		s.answer(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		s.send(c, "late")
		_ = c.CloseWrite()
		if got := s.rest(c); got != "early late" {
			s.t.Errorf("got %q", got)
		}
		if err := s.srv.Shutdown(s.ctx); err != nil {
			s.t.Error(err)
		}
	})
}

// MaxConns limits the connections: another connection is served when one has ended.
func TestMaxConnsBoundsTheConnections(t *testing.T) {
	inSim(t, greet, func(srv *httpio.Server) { srv.MaxConns = 1 }, func(s *simServer) {
		first := s.dial(getRoot)
		s.answer(first, fine("hello"))
		var at time.Duration
		second := task.StartErr(s.ctx, func(ctx context.Context) error {
			c, err := netio.Dial(ctx, "tcp", "127.0.0.1:80")
			if err != nil {
				return err
			}
			defer c.Close()
			if _, err := c.Write(ctx, []byte(getClose)); err != nil {
				return err
			}
			_, err = c.ReadAll(ctx, 1000)
			at = task.Now(ctx).Sub(s.began)
			return err
		})
		s.sleep(time.Minute)
		_ = first.Close()
		if _, err := second.Await(s.ctx); err != nil || at != time.Minute {
			s.t.Errorf("%v after %v", err, at)
		}
	})
}
