// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

const limit = 4 << 20

// withOutbox serves connections that fn has hijacked behind an outbox.
func withOutbox(t *testing.T, fn func(ctx context.Context, nc net.Conn, t *testing.T), client func(s *simServer, c *netio.Stream)) {
	h := httpio.Outbox(limit, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		nc, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		if n, err := rw.WriteString("hello "); n != 6 || err != nil || rw.Flush() != nil {
			t.Errorf("%d, %v", n, err)
		}
		fn(r.Context(), nc, t)
	}))
	inSim(t, h.ServeHTTP, nil, func(s *simServer) {
		c := s.dial(getRoot)
		defer c.Close()
		s.answer(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		client(s, c)
		if err := s.srv.Shutdown(s.ctx); err != nil {
			s.t.Error(err)
		}
	})
}

// exactly reads as many bytes as want has, and compares them.
func (s *simServer) exactly(c *netio.Stream, want string) {
	s.t.Helper()
	got := make([]byte, len(want))
	if _, err := c.ReadFull(s.ctx, got); string(got) != want || err != nil {
		s.t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// Write does not wait for a client that does not read, even if a goroutine calls it. Close sends
// the bytes that wait.
func TestOutboxDoesNotWait(t *testing.T) {
	for _, outside := range []bool{false, true} {
		pieces := make([]byte, 1<<20)
		withOutbox(t, func(ctx context.Context, nc net.Conn, t *testing.T) {
			began := task.Now(ctx)
			if err := nc.SetWriteDeadline(began.Add(-time.Second)); err != nil {
				t.Error(err)
			}
			write := func(context.Context) (int, error) {
				for range 4 {
					if n, err := nc.Write(pieces); n != len(pieces) || err != nil {
						t.Errorf("Write = %d, %v", n, err)
					}
				}
				return 0, nc.Close()
			}
			var err error
			if outside {
				_, err = await.Blocking(ctx, write)
			} else {
				_, err = write(ctx)
			}
			if took := task.Now(ctx).Sub(began); err != nil || took != 0 {
				t.Errorf("%v after %v", err, took)
			}
			if n, err := nc.Write(pieces); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close, Write = %d, %v", n, err)
			}
			if n, err := nc.Read(pieces); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close, Read = %d, %v", n, err)
			}
			if err := nc.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a second Close: %v", err)
			}
		}, func(s *simServer, c *netio.Stream) {
			s.sleep(time.Second)
			if got := s.rest(c); got != "hello "+string(bytes.Repeat(pieces, 4)) {
				s.t.Errorf("the client has %d bytes", len(got))
			}
		})
	}
}

// While one task writes, another task may write. The bytes are sent in the order of the calls.
func TestOutboxHasManyWriters(t *testing.T) {
	withOutbox(t, func(ctx context.Context, nc net.Conn, t *testing.T) {
		for name := range strings.SplitSeq("abc", "") {
			task.Go(ctx, func(ctx context.Context) error {
				for range 3 {
					if _, err := io.WriteString(nc, name); err != nil {
						return err
					}
					if err := await.Sleep(ctx, time.Second); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := await.Sleep(ctx, time.Minute); err != nil {
			t.Error(err)
		}
	}, func(s *simServer, c *netio.Stream) {
		if got := s.rest(c); len(got) != 15 || strings.Count(got, "a") != 3 {
			s.t.Errorf("the client has %q", got)
		}
	})
}

// If the client reads too slowly, the connection is closed.
func TestOutboxHasALimit(t *testing.T) {
	withOutbox(t, func(ctx context.Context, nc net.Conn, t *testing.T) {
		reader := task.Start(ctx, func(context.Context) (int, error) { return nc.Read(make([]byte, 1)) })
		sent, err := nc.Write(make([]byte, limit))
		for err == nil {
			if err = await.Sleep(ctx, time.Millisecond); err == nil {
				var n int
				n, err = nc.Write(make([]byte, 1000))
				sent += n
			}
		}
		if !errors.Is(err, netio.ErrTooLong) || sent > limit+1000 {
			t.Errorf("after %d bytes: %v", sent, err)
		}
		if _, err := nc.Write([]byte("x")); !errors.Is(err, netio.ErrTooLong) {
			t.Errorf("afterwards: %v", err)
		}
		began := task.Now(ctx)
		if _, err := reader.Await(ctx); !errors.Is(err, net.ErrClosed) || task.Now(ctx) != began {
			t.Errorf("Read: %v after %v", err, task.Now(ctx).Sub(began))
		}
	}, func(s *simServer, c *netio.Stream) {
		s.sleep(time.Minute)
		if _, err := c.ReadAll(s.ctx, 2*limit); err != nil && !errors.Is(err, io.EOF) {
			s.t.Logf("the client sees: %v", err) // a reset or the end of the stream
		}
	})
}

// A client that does not read cannot keep a closed connection open. Close ends a Read that waits.
func TestOutboxCloseIsBounded(t *testing.T) {
	withOutbox(t, func(ctx context.Context, nc net.Conn, t *testing.T) {
		reader := task.Start(ctx, func(context.Context) (int, error) { return nc.Read(make([]byte, 1)) })
		if err := task.Yield(ctx); err != nil {
			t.Error(err)
		}
		if err := nc.SetDeadline(task.Now(ctx).Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if _, err := nc.Write(make([]byte, limit)); err != nil {
			t.Error(err)
		}
		if err := nc.Close(); err != nil {
			t.Error(err)
		}
		began := task.Now(ctx)
		if _, err := reader.Await(ctx); !errors.Is(err, net.ErrClosed) || task.Now(ctx) != began {
			t.Errorf("Read: %v after %v", err, task.Now(ctx).Sub(began))
		}
	}, func(s *simServer, c *netio.Stream) {
		began := s.since()
		if err := s.srv.Shutdown(s.ctx); err != nil {
			s.t.Error(err)
		}
		if took := s.since() - began; took != 5*time.Second {
			s.t.Errorf("the connection ended after %v", took)
		}
	})
}

// When the client disconnects, Write fails.
func TestOutboxClientGone(t *testing.T) {
	withOutbox(t, func(ctx context.Context, nc net.Conn, t *testing.T) {
		var err error
		for err == nil {
			if err = await.Sleep(ctx, time.Second); err == nil {
				_, err = io.WriteString(nc, "tick ")
			}
		}
		if errors.Is(err, net.ErrClosed) || errors.Is(err, netio.ErrTooLong) {
			t.Errorf("Write: %v", err)
		}
	}, func(s *simServer, c *netio.Stream) {
		s.exactly(c, "hello tick tick ")
		_ = c.Close()
	})
}

// The end of Grace ends the connection.
func TestOutboxEndsWithTheServer(t *testing.T) {
	h := httpio.Outbox(limit, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		nc, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() { // for example in a library
			_, err := io.Copy(nc, nc)
			if err == nil {
				t.Error("Copy has ended without an error")
			}
			_ = nc.Close()
		}()
	}))
	inSim(t, h.ServeHTTP, func(srv *httpio.Server) { srv.Grace = time.Minute }, func(s *simServer) {
		c := s.dial(getRoot)
		defer c.Close()
		s.answer(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		s.send(c, "hello")
		s.exactly(c, "hello")
		began := s.since()
		err := s.srv.Shutdown(s.ctx)
		if _, ok := errors.AsType[*netio.LeftError](err); !ok || s.since()-began != time.Minute {
			s.t.Errorf("Shutdown: %v after %v", err, s.since()-began)
		}
	})
}

// On a goroutine, Hijack of an Outbox returns an error.
func TestOutboxFailsOnAGoroutine(t *testing.T) {
	h := httpio.Outbox(limit, httpio.Blocking(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); err == nil {
			t.Error("no error")
		}
	})))
	inSim(t, h.ServeHTTP, nil, func(s *simServer) {
		if got := s.rest(s.dial(getRoot)); got != "" {
			s.t.Errorf("got %q", got)
		}
	})
}

// Responses of handlers that do not hijack are unchanged.
func TestOutboxWithoutHijack(t *testing.T) {
	h := httpio.Outbox(limit, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		if err := http.NewResponseController(w).SetWriteDeadline(task.Now(r.Context()).Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if err := await.Sleep(r.Context(), time.Second); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "two")
	}))
	inSim(t, h.ServeHTTP, nil, func(s *simServer) {
		c := s.dial(getClose)
		defer c.Close()
		if _, err := c.ReadUntil(s.ctx, []byte("one\r\n")); err != nil || s.since() != 0 {
			t.Errorf("%v after %v", err, s.since())
		}
		if _, err := c.ReadUntil(s.ctx, []byte("two\r\n")); err != nil || s.since() != time.Second {
			t.Errorf("%v after %v", err, s.since())
		}
	})
}
