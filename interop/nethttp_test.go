// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio/httpio"
)

// counterpart is a handler for the requests of the tests below. It runs on both servers.
func counterpart() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum, Missing")
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d bytes, %v, trailer %v", n, err, r.Trailer)
		http.NewResponseController(w).Flush()
		w.Header().Set("Sum", "42")
		w.Header().Set(http.TrailerPrefix+"Late", "yes")
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		for _, style := range []string{"one", "two"} {
			w.Header().Set("Link", style)
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.WriteHeader(http.StatusProcessing)
		fmt.Fprint(w, "hinted")
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("Method", r.Method)
		w.Header().Set("Coding", strings.Join(r.TransferEncoding, ","))
		w.Header().Set("Error", fmt.Sprint(err))
		w.Write(body)
	})
	for _, code := range []int{301, 302, 303, 307, 308} {
		mux.Handle(fmt.Sprint("/redirect/", code), http.RedirectHandler("/echo", code))
	}
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "7", Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "gone", Value: "1", Path: "/", MaxAge: -1})
		http.Redirect(w, r, "/cookies", http.StatusFound)
	})
	mux.HandleFunc("/cookies", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Cookies()) })
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			fmt.Fprint(w, "as it is for ", r.Header.Get("Accept-Encoding"))
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(w)
		fmt.Fprint(zw, strings.Repeat("compressed ", 10_000))
		zw.Close()
	})
	mux.HandleFunc("/abort", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 10_000))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/none/{code}", func(w http.ResponseWriter, r *http.Request) {
		code := 0
		fmt.Sscan(r.PathValue("code"), &code)
		w.Header().Set("Etag", `"tag"`)
		w.WriteHeader(code)
	})
	return mux
}

// transcript sends every kind of request to a server of counterpart, and returns the answers.
func transcript(ctx context.Context, transport http.RoundTripper, base string) string {
	var out strings.Builder
	client := &http.Client{Transport: transport}
	client.Jar, _ = cookiejar.New(nil)
	ask := func(method, path string, body io.Reader, fields ...string) {
		req, err := http.NewRequestWithContext(ctx, method, base+path, body)
		if err != nil {
			fmt.Fprintln(&out, err)
			return
		}
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			if name == "Trailer" {
				req.Trailer = http.Header{value: {"of the request"}}
				continue
			}
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			fmt.Fprintln(&out, method, path, strings.ReplaceAll(err.Error(), base, ""))
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		resp.Header.Del("Date")
		fmt.Fprintf(&out, "%s %s: %s %s %d %q close=%v unzipped=%v", method, path, resp.Proto, resp.Status,
			resp.ContentLength, resp.TransferEncoding, resp.Close, resp.Uncompressed)
		fmt.Fprintf(&out, " body=%d %.60q %v trailer=%v header=%v\n", len(text), text, err, resp.Trailer, resp.Header)
	}
	long := strings.Repeat("a body that is not short ", 10_000)
	unknown := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }
	ask("POST", "/trailers", unknown("in chunks"), "Trailer: Signature")
	ask("POST", "/trailers", unknown(long), "Trailer: Signature")
	ask("GET", "/trailers", nil)
	ask("HEAD", "/trailers", nil)
	ask("GET", "/hints", nil)
	ask("HEAD", "/hints", nil)
	for _, body := range []string{"", "short", long} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "GET"} {
			ask(method, "/echo", strings.NewReader(body))
			ask(method, "/echo", unknown(body))
		}
	}
	ask("POST", "/echo", strings.NewReader(long), "Expect: 100-continue")
	for _, code := range []string{"301", "302", "303", "307", "308"} {
		ask("POST", "/redirect/"+code, strings.NewReader("short"))
		ask("POST", "/redirect/"+code, strings.NewReader(long))
		ask("HEAD", "/redirect/"+code, nil)
	}
	ask("POST", "/redirect/307", unknown("which cannot be sent again"))
	ask("GET", "/login", nil)
	ask("GET", "/cookies", nil)
	ask("GET", "/gzip", nil)
	ask("GET", "/gzip", nil, "Accept-Encoding: identity")
	ask("GET", "/gzip", nil, "Range: bytes=0-1")
	ask("HEAD", "/gzip", nil)
	ask("GET", "/abort", nil)
	ask("GET", "/none/204", nil)
	ask("GET", "/none/304", nil)
	ask("GET", "/none/205", nil)
	ask("GET", "/none/404", nil)
	ask("OPTIONS", "/echo", nil, "Connection: close")
	return out.String()
}

// Both clients get the same answers from both servers.
func TestClientsAndServersOfNetHTTP(t *testing.T) {
	peer := httptest.NewServer(counterpart())
	defer peer.Close()
	theirs := &http.Transport{}
	want := transcript(t.Context(), theirs, peer.URL)
	theirs.CloseIdleConnections()
	compare := func(what, got string) {
		a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Errorf("%s: line %d is\n%s\nwant\n%s", what, i, b[i], a[i])
			}
		}
		if len(a) != len(b) {
			t.Errorf("%s: %d lines, want %d", what, len(b), len(a))
		}
	}
	withHTTP(t, nil, counterpart(), func(ctx context.Context, port string) error {
		ours := &httpio.Transport{}
		defer ours.CloseIdleConnections()
		defer theirs.CloseIdleConnections()
		base := "http://127.0.0.1:" + port
		compare("our client at their server", transcript(ctx, ours, peer.URL))
		compare("our client at our server", transcript(ctx, ours, base))
		foreign := ours.Foreign(ctx)
		return on(ctx, func() {
			compare("their client at our server", transcript(context.Background(), theirs, base))
			compare("our client for goroutines at our server", transcript(context.Background(), foreign, base))
		})
	})
}

// The client of net/http receives each answer of status 1xx from our server.
func TestHintsReachTheClientOfNetHTTP(t *testing.T) {
	withHTTP(t, nil, counterpart(), func(ctx context.Context, port string) error {
		return on(ctx, func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			var heard []string
			traced := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
					heard = append(heard, fmt.Sprint(code, " ", header.Get("Link")))
					return nil
				},
			})
			resp, err := tr.RoundTrip(newRequest(traced, t, "GET", "http://127.0.0.1:"+port+"/hints", nil))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if want := []string{"103 one", "103 two", "102 two"}; !slices.Equal(heard, want) {
				t.Errorf("the client received %q, want %q", heard, want)
			}
		})
	})
}

// When a client cancels a request, the handler ends too: after a cancel of the context and after a
// timeout of the client, before the head of the answer and during its body. A server ends only when
// its handlers have ended.
func TestGivenUpRequestsEndAtBothSides(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			io.WriteString(w, "begun")
			http.NewResponseController(w).Flush()
		}
	}
	t.Run("our client", func(t *testing.T) {
		begun := make(chan struct{}, 10)
		peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer(w, r)
			begun <- struct{}{}
			<-r.Context().Done()
		}))
		defer peer.Close()
		bounded(t, func(ctx context.Context) error {
			tr := &httpio.Transport{}
			defer tr.CloseIdleConnections()
			giveUp(ctx, t, tr, peer.URL, begun)
			return nil
		})
	})
	t.Run("our server", func(t *testing.T) {
		begun := make(chan struct{}, 10)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer(w, r)
			begun <- struct{}{}
			if err := await.Forever(r.Context()); !errors.Is(err, context.Canceled) {
				t.Errorf("the end of a cancelled request: %v", err)
			}
		})
		withHTTP(t, nil, h, func(ctx context.Context, port string) error {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			return on(ctx, func() { giveUp(context.Background(), t, tr, "http://127.0.0.1:"+port, begun) })
		})
	})
}

// giveUp cancels some requests when their handlers have begun, and others after a timeout.
func giveUp(ctx context.Context, t *testing.T, transport http.RoundTripper, base string, begun <-chan struct{}) {
	for _, timeout := range []time.Duration{0, 20 * time.Millisecond} {
		for _, path := range []string{"/head", "/body"} {
			ctx, cancel := context.WithCancel(ctx)
			if timeout == 0 {
				go func() { <-begun; cancel() }()
			}
			client := &http.Client{Transport: transport, Timeout: timeout}
			resp, err := client.Do(newRequest(ctx, t, "GET", base+path, nil))
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			cancel()
			var late interface{ Timeout() bool }
			if timeout == 0 && !errors.Is(err, context.Canceled) || timeout > 0 && (!errors.As(err, &late) || !late.Timeout()) {
				t.Errorf("%s cancelled after %v: %v", path, timeout, err)
			}
		}
	}
}
