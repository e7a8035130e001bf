// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton/await"
	"baton/netio/httpio"
	"baton/task"
)

// upgraded connects to s, asks for an upgrade and reads the response.
func upgraded(t *testing.T, s *httptest.Server, more string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, getRoot+more); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	return c, br
}

// Tasks, which park, and goroutines may read and write a hijacked connection. Bytes that the
// client has sent early are not lost. Other tasks of the loop run while one waits.
func TestOnLoopHijack(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		ticked := make(chan struct{})
		s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.WriteString(w, "late"); !errors.Is(err, http.ErrHijacked) {
				t.Error(err)
			}
			task.Go(r.Context(), func(ctx context.Context) error {
				defer close(ticked) // the echo waits meanwhile: the client sends after this
				for range 100 {
					if err := task.Yield(ctx); err != nil {
						return err
					}
				}
				return nil
			})
			echo := func() {
				defer c.Close()
				if _, err := io.Copy(c, rw); err != nil {
					t.Error(err)
				}
				if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Error(err)
				}
			}
			if blocking {
				_, _ = await.Blocking(r.Context(), func(context.Context) (int, error) { echo(); return 0, nil })
			} else {
				echo()
			}
		})), 1)
		c, br := upgraded(t, s, "early ")
		<-ticked
		if _, err := io.WriteString(c, "late"); err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(br); string(got) != "early late" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		_ = c.Close()
	}
}

// A hijacked connection is usable after its handler. The end of the loop's scope ends the calls of
// tasks.
func TestOnLoopHijackedConnectionAfterTheHandler(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	portal, ended := runLoop(ctx)
	conns := make(chan net.Conn, 1)
	s := newHTTPServer(t, httpio.OnLoop(portal, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		conns <- c
	})), 1)
	client, _ := upgraded(t, s, "")
	defer client.Close()
	c := <-conns
	defer c.Close()
	call := portal.Go(func(context.Context) error {
		_, err := c.Read(make([]byte, 10)) // nothing arrives
		return err
	})
	began := portal.Go(func(ctx context.Context) error {
		for !strings.Contains(waits(ctx), "the client's bytes") {
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err := began.Wait(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := call.Wait(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// waits returns what the tasks of a loop wait for.
func waits(ctx context.Context) string {
	var all strings.Builder
	for _, w := range task.Waits(ctx) {
		all.WriteString(w.String())
	}
	return all.String()
}

// Under HTTP/2 there is no connection to hijack.
func TestOnLoopHijackUnderHTTP2Fails(t *testing.T) {
	s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, err := w.(http.Hijacker).Hijack()
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
		io.WriteString(w, "hello")
	})), 2)
	if got := whole(t, s, "GET", "/", nil); got != "200 hello" {
		t.Errorf("got %q", got)
	}
}
