// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

// dates matches the Date field, which differs between two servers.
var dates = regexp.MustCompile(`Date: [^\r]*\r\n`)

// sides sends the same bytes to this server and to a server of package net/http. It returns what
// each has sent until it closed the connection.
func sides(t *testing.T, h, peers http.Handler, sent string) (ours, theirs string) {
	t.Helper()
	peer := httptest.NewServer(peers)
	defer peer.Close()
	theirs = exchange(t, peer.Listener.Addr().String(), sent)
	err := task.Run(t.Context(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &httpio.Server{Handler: h}
		return task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
			ours, err = await.Blocking(ctx, func(context.Context) (string, error) {
				return exchange(t, ln.Addr().String(), sent), nil
			})
			return errors.Join(err, srv.Close())
		})
	})
	if err != nil {
		t.Error(err)
	}
	return ours, theirs
}

// exchange sends bytes to a server and reads until the end of the stream.
func exchange(t *testing.T, addr, sent string) string {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	if _, err := io.WriteString(c, sent); err != nil {
		t.Error(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Error(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return dates.ReplaceAllString(string(got), "")
}

// handler has responses of every kind.
var handler = func() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello, ", r.Host) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q %v", b, err)
	})
	mux.HandleFunc("/unread", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		for i := range 500 {
			fmt.Fprintf(w, "line %d\n", i)
		}
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { w.Write(bytes.Repeat([]byte("x"), 100_000)) })
	mux.HandleFunc("/flush", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		io.WriteString(w, "two")
	})
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-End")
		io.WriteString(w, "body")
		w.Header().Set("X-End", "yes")
		w.Header().Set(http.TrailerPrefix+"X-Late", "too")
	})
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/204", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/304", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(304)
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "done")
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, err := io.WriteString(w, "12345678")
		if err == nil {
			io.WriteString(w, "?")
		}
		io.WriteString(w, "12345")
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "bye")
	})
	mux.HandleFunc("/injection", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "b\r\nX-Evil: yes")
		io.WriteString(w, "safe")
	})
	mux.HandleFunc("/abort", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		rest, err := io.ReadAll(rw)
		fmt.Fprintf(c, "raw %q %v", rest, err)
	})
	return mux
}()

// Each response matches the response of package net/http byte for byte.
func TestResponsesMatchNetHTTP(t *testing.T) { compare(t, handler) }

// So does each response of a handler in Blocking.
func TestBlockingResponsesMatchNetHTTP(t *testing.T) {
	compare(t, httpio.Blocking(handler))
}

// compare runs h in this server, in a server of package net/http, and there in OnLoop.
func compare(t *testing.T, h http.Handler) {
	visited := httptest.NewServer(httpio.OnLoop(newPortal(t), h))
	defer visited.Close()
	const host = "Host: example.com\r\n"
	chunks := "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n"
	for name, sent := range map[string]string{
		"get":                      "GET /hello HTTP/1.1\r\n" + host + "\r\n",
		"pipelined":                "GET /hello HTTP/1.1\r\n" + host + "\r\nGET /empty HTTP/1.1\r\n" + host + "\r\nPOST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcGET /hello HTTP/1.1\r\n" + host + "\r\n",
		"head":                     "HEAD /hello HTTP/1.1\r\n" + host + "\r\n",
		"head, large":              "HEAD /big HTTP/1.1\r\n" + host + "\r\n",
		"1.0":                      "GET /hello HTTP/1.0\r\n\r\n",
		"1.0, keep-alive":          "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.0\r\n\r\n",
		"1.0, unknown length":      "GET /long HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"close":                    "GET /hello HTTP/1.1\r\n" + host + "Connection: close\r\n\r\nGET /hello HTTP/1.1\r\n" + host + "\r\n",
		"close in a list":          "GET /hello HTTP/1.1\r\n" + host + "Connection: foo, Close\r\n\r\n",
		"missing host":             "GET /hello HTTP/1.1\r\n\r\n",
		"empty host":               "GET /hello HTTP/1.1\r\nHost:\r\n\r\n",
		"two hosts":                "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"bad host":                 "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n",
		"bad name":                 "GET /hello HTTP/1.1\r\n" + host + "X Y: z\r\n\r\n",
		"bad value":                "GET /hello HTTP/1.1\r\n" + host + "X: a\x01b\r\n\r\n",
		"folding":                  "GET /hello HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n",
		"bare LF":                  "GET /hello HTTP/1.1\nHost: example.com\n\n",
		"version 2.0":              "GET /hello HTTP/2.0\r\n" + host + "\r\n",
		"malformed version":        "GET /hello HTTP/x\r\n" + host + "\r\n",
		"bad method":               "G(T /hello HTTP/1.1\r\n" + host + "\r\n",
		"no request":               "hello\r\n\r\n",
		"unknown coding":           "POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n",
		"coding and length":        "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\n" + chunks,
		"differing lengths":        "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"equal lengths":            "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"length with a plus":       "POST /echo HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc",
		"chunked":                  "POST /echo HTTP/1.1\r\n" + host + chunks + "GET /hello HTTP/1.1\r\n" + host + "\r\n",
		"bad chunk":                "POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
		"truncated body":           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\nabc",
		"unread, small":            "POST /unread HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcGET /hello HTTP/1.1\r\n" + host + "\r\n",
		"CRLF after POST":          "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc\r\nGET /hello HTTP/1.1\r\n" + host + "\r\n",
		"100-continue, read":       "POST /echo HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		"100-continue, unread":     "POST /unread HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
		"another expectation":      "GET /hello HTTP/1.1\r\n" + host + "Expect: tea\r\n\r\n",
		"long":                     "GET /long HTTP/1.1\r\n" + host + "\r\n",
		"big":                      "GET /big HTTP/1.1\r\n" + host + "\r\n",
		"flush":                    "GET /flush HTTP/1.1\r\n" + host + "\r\n",
		"trailer":                  "GET /trailer HTTP/1.1\r\n" + host + "\r\n",
		"204":                      "GET /204 HTTP/1.1\r\n" + host + "\r\n",
		"304":                      "GET /304 HTTP/1.1\r\n" + host + "\r\n",
		"early hints":              "GET /early HTTP/1.1\r\n" + host + "\r\n",
		"declared length":          "GET /length HTTP/1.1\r\n" + host + "\r\n",
		"handler closes":           "GET /close HTTP/1.1\r\n" + host + "\r\n",
		"injection":                "GET /injection HTTP/1.1\r\n" + host + "\r\n",
		"abort":                    "GET /abort HTTP/1.1\r\n" + host + "\r\n",
		"absolute form":            "GET http://other.example/hello HTTP/1.1\r\n" + host + "\r\n",
		"OPTIONS *":                "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
		"CONNECT":                  "CONNECT example.com:80 HTTP/1.1\r\n" + host + "\r\n",
		"hijack with bytes behind": "GET /hijack HTTP/1.1\r\n" + host + "\r\nmore",
		"too large":                "GET /hello HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 2<<20) + "\r\n\r\n",
		"not found":                "GET /nowhere HTTP/1.1\r\n" + host + "\r\n",
		"nothing":                  "",
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := sides(t, h, handler, sent)
			if ours != theirs && !changed(sent) {
				t.Errorf("\nours   %.600q\ntheirs %.600q", ours, theirs)
			}
			if onLoop := exchange(t, visited.Listener.Addr().String(), sent); onLoop != theirs {
				t.Errorf("\nOnLoop %.600q\ntheirs    %.600q", onLoop, theirs)
			}
		})
	}
}

// The context of a request is cancelled when the client disconnects while the handler waits.
func TestRequestEndsWithItsClient(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var err error
		var after time.Duration
		began := task.Now(ctx)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err = await.Sleep(r.Context(), time.Hour)
			after = task.Now(r.Context()).Sub(began)
		})
		ln, e := netio.Listen(ctx, "tcp", "127.0.0.1:80")
		if e != nil {
			t.Fatal(e)
		}
		srv := &httpio.Server{Handler: h}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		s, e := netio.Dial(ctx, "tcp", "127.0.0.1:80")
		if e != nil {
			t.Fatal(e)
		}
		if _, e := s.Write(ctx, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); e != nil {
			t.Fatal(e)
		}
		if e := await.Sleep(ctx, time.Second); e != nil {
			t.Fatal(e)
		}
		_ = s.Close()
		if e := srv.Shutdown(ctx); e != nil {
			t.Fatal(e)
		}
		if !errors.Is(err, context.Canceled) || after < time.Second || after > 2*time.Second {
			t.Errorf("the handler's Sleep: %v after %v", err, after)
		}
	})
}
