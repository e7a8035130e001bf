// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// streamers are handlers whose response has no end. They return the error that has ended them,
// from a wait or from a Write.
var streamers = map[string]func(w http.ResponseWriter, r *http.Request) error{
	"waits for time": func(w http.ResponseWriter, r *http.Request) error {
		_ = http.NewResponseController(w).Flush()
		return await.Sleep(r.Context(), 1000*time.Hour)
	},
	"waits for an event": func(w http.ResponseWriter, r *http.Request) error {
		_ = http.NewResponseController(w).Flush()
		var never locks.Event
		return never.Wait(r.Context())
	},
	"waits for a queue": func(w http.ResponseWriter, r *http.Request) error {
		_ = http.NewResponseController(w).Flush()
		_, err := new(locks.Queue[string]).Get(r.Context())
		return err
	},
	"sends events": func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; ; i++ {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			if err := await.Sleep(r.Context(), time.Millisecond); err != nil {
				return err
			}
		}
	},
	"writes all the time": func(w http.ResponseWriter, r *http.Request) error {
		for {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 5000)); err != nil {
				return err
			}
		}
	},
	"writes and ignores the context": func(w http.ResponseWriter, r *http.Request) error {
		shielded, release := task.Shield(r.Context(), -1)
		defer release()
		for {
			_, _ = io.WriteString(w, "data: x\n\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
			if err := await.Sleep(shielded, time.Millisecond); err != nil {
				return err
			}
		}
	},
	"copies a stream": func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(w, endless{})
		return err
	},
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A streamed response ends when the client disconnects: with a cancel of the request's context, or
// with an error of a Write. The test runs in a simulated world and on sockets, with and without
// TLS.
func TestStreamedResponseEndsWithItsClient(t *testing.T) {
	_, client := certificate()
	for name, stream := range streamers {
		for _, secure := range []bool{false, true} {
			for _, how := range []string{"Close", "Abort"} {
				what := fmt.Sprintf("%s, TLS %v, %s", name, secure, how)
				var ended locks.Event
				var err error
				var canceled bool
				h := func(w http.ResponseWriter, r *http.Request) {
					defer ended.Set()
					err = stream(w, r)
					canceled = r.Context().Err() != nil
				}
				ask := func(ctx context.Context, addr string) {
					ended, err = locks.Event{}, nil
					c, dialErr := netio.Dial(ctx, "tcp", addr)
					if dialErr == nil && secure {
						dialErr = c.StartTLS(ctx, client)
					}
					if dialErr == nil {
						_, dialErr = c.Write(ctx, []byte(getRoot))
					}
					if dialErr == nil {
						_, dialErr = c.ReadUntil(ctx, []byte("\r\n\r\n"))
					}
					if dialErr != nil {
						t.Errorf("%s: %v", what, dialErr)
						return
					}
					if how == "Abort" {
						_ = c.Abort()
					} else {
						_ = c.Close()
					}
					if err := ended.Wait(ctx); err != nil {
						t.Error(err)
					}
					wrote := strings.HasPrefix(name, "writes") || strings.HasPrefix(name, "copies")
					if err == nil || !wrote && (!canceled || !errors.Is(err, context.Canceled)) {
						t.Errorf("%s: ended with %v; canceled: %v", what, err, canceled)
					}
				}
				var config *tls.Config
				if secure {
					config, _ = certificate()
				}
				inSim(t, h, func(srv *httpio.Server) { srv.TLSConfig = config }, func(s *simServer) { ask(s.ctx, "127.0.0.1:80") })
				srv := &httpio.Server{Handler: http.HandlerFunc(h), TLSConfig: config}
				onLoopback(t, srv, func(ctx context.Context, addr string) error {
					ask(ctx, addr)
					return nil
				})
			}
		}
	}
}

// A client that has only closed its sending direction still gets a streamed response. The context
// tells the handler, as in package net/http.
func TestStreamedResponseAfterCloseWriteOfTheClient(t *testing.T) {
	inSim(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		if err := await.Sleep(r.Context(), time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for i := range 3 {
			fmt.Fprint(w, i)
			if err := rc.Flush(); err != nil {
				t.Error(err)
			}
		}
	}, nil, func(s *simServer) {
		c := s.dial(getRoot)
		s.sleep(time.Second)
		_ = c.CloseWrite()
		if got := s.rest(c); !strings.HasSuffix(got, "1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\n") || s.since() != time.Second {
			t.Errorf("got %q after %v", got, s.since())
		}
	})
}
