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
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

type testKey string

// The context of a request has the values that package net/http gives it: the local address, and
// an *http.Server with the settings of the server.
func TestValuesOfARequest(t *testing.T) {
	quiet := log.New(io.Discard, "", 0)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		fmt.Fprintf(w, "%T %v %v %v %v %v",
			r.Context().Value(http.LocalAddrContextKey), r.Context().Value(http.LocalAddrContextKey) == nil,
			shown.ReadTimeout, shown.MaxHeaderBytes, shown.ErrorLog == quiet, shown.Handler != nil)
	})
	peer := httptest.NewUnstartedServer(h)
	peer.Config.ReadTimeout, peer.Config.MaxHeaderBytes, peer.Config.ErrorLog = time.Hour, 1000, quiet
	peer.Start()
	srv := &httpio.Server{Handler: h, ReadTimeout: time.Hour, MaxHeaderBytes: 1000, ErrorLog: quiet}
	ours, theirs := askBoth(t, srv, peer, func(addr string) string { return exchange(t, addr, getClose) })
	if ours != theirs || !strings.Contains(ours, "*net.TCPAddr false 1h0m0s 1000 true true") {
		t.Errorf("\nours   %q\ntheirs %q", ours, theirs)
	}
}

// A request has the values of Serve's ctx and of ConnContext. Its context belongs to the
// connection's task: tasks may be started with it.
func TestConnContext(t *testing.T) {
	var got []any
	var addr net.Addr
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		srv := &httpio.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = task.Scope(r.Context(), func(ctx context.Context) error {
					task.Go(ctx, func(ctx context.Context) error {
						got = append(got, ctx.Value(testKey("serve")), ctx.Value(testKey("conn")))
						return await.Sleep(ctx, time.Second)
					})
					return nil
				})
				addr, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			}),
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, testKey("conn"), c.RemoteAddr().String())
			},
		}
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		task.Go(ctx, func(ctx context.Context) error {
			return srv.Serve(context.WithValue(ctx, testKey("serve"), "base"), ln)
		})
		c, err := netio.Dial(ctx, "tcp", "127.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(ctx, []byte(getRoot+getClose)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ReadAll(ctx, 1000); err != nil {
			t.Error(err)
		}
		_ = c.Close()
		if want := c.LocalAddr().String(); fmt.Sprint(got) != fmt.Sprint([]any{"base", want, "base", want}) || addr.String() != "127.0.0.1:80" {
			t.Errorf("got %v, local %v", got, addr)
		}
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

// If ConnContext returns a context that is not derived from its ctx, the connection ends, and the
// report says what to do.
func TestConnContextMustDeriveFromItsCtx(t *testing.T) {
	var reports []loop.Exception
	var outer context.Context
	which := 0
	foreign := []func(ctx context.Context) context.Context{
		func(context.Context) context.Context { return nil },
		func(context.Context) context.Context { return context.Background() },
		func(context.Context) context.Context { return outer },
	}
	inSim(t, greet, func(srv *httpio.Server) {
		srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return foreign[which](ctx) }
	}, func(s *simServer) {
		outer = s.ctx
		task.Loop(s.ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reports = append(reports, e) })
		for which = range foreign {
			if got := s.rest(s.dial(getRoot)); got != "" {
				t.Errorf("%d: got %q", which, got)
			}
		}
	})
	for i, e := range reports {
		if !strings.Contains(e.Err.Error(), "httpio: ConnContext returned a context that is not derived") {
			t.Errorf("%d: %v", i, e.Err)
		}
	}
	if len(reports) != len(foreign) {
		t.Error(reports)
	}
}

// A ReverseProxy whose backend aborts its response aborts its own response. It does so only if
// http.ServerContextKey has a value.
func TestReverseProxyAbortsATruncatedResponse(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Error(e) })
		backend := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 5000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		target := &url.URL{Scheme: "http", Host: "127.0.0.1:81"}
		proxy := &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
			Transport: new(httpio.Transport).Foreign(ctx),
			ErrorLog:  log.New(io.Discard, "", 0),
		}
		var all []*httpio.Server
		// The proxy flushes the response on a goroutine, and waits for it while it holds a mutex.
		for i, h := range []http.Handler{httpio.Blocking(proxy), backend} {
			ln, err := netio.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 80+i))
			if err != nil {
				t.Fatal(err)
			}
			srv := &httpio.Server{Handler: h}
			task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
			all = append(all, srv)
		}
		var session httpio.Session
		text, err := session.Text(ctx, "http://127.0.0.1:80")
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		for _, srv := range all {
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
