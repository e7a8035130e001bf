// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/netio/httpio"
	"baton/task"
)

// newPortal opens a portal to a loop that ends with the test.
func newPortal(t testing.TB) *task.Portal {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	portal, ended := runLoop(ctx)
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return portal
}

// runLoop runs a loop with a portal until ctx ends.
func runLoop(ctx context.Context) (*task.Portal, <-chan error) {
	opened, ended := make(chan *task.Portal), make(chan error, 1)
	go func() {
		ended <- task.Run(ctx, func(ctx context.Context) error {
			opened <- task.OpenPortal(ctx)
			return await.Forever(ctx)
		})
	}()
	return <-opened, ended
}

// newHTTPServer starts a server of package net/http, with HTTP/1.1, or with HTTP/2 over TLS. It
// ends with the test.
func newHTTPServer(t testing.TB, h http.Handler, version int) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if version == 2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// versions runs a test for each version of HTTP.
func versions(t *testing.T, test func(t *testing.T, version int)) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP ", version), func(t *testing.T) { test(t, version) })
	}
}

// limited returns a context with a timeout, so that no test hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// start sends a request and returns the response. The test closes the body.
func start(t *testing.T, s *httptest.Server, method, path string, body io.Reader) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(limited(t), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// whole sends a request and returns the status and body of the response.
func whole(t *testing.T, s *httptest.Server, method, path string, body io.Reader) string {
	t.Helper()
	resp := start(t, s, method, path, body)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(b))
}

// steps does what the query says: "w9" writes nine bytes, "s9" writes them by WriteString, "r9"
// reads up to nine, "f" flushes, "h" sets a field, "e" sends early hints, "c418" calls
// WriteHeader, "l9" declares a length, "d" enables full duplex, "p" panics. It sends the results
// of the calls.
func (results results) steps(w http.ResponseWriter, r *http.Request) {
	var all strings.Builder
	defer func() { results <- all.String() }()
	rc := http.NewResponseController(w)
	for i, step := range strings.Split(r.URL.RawQuery, ",") {
		var err error
		n, _ := strconv.Atoi(step[1:])
		text := strings.Repeat(string(rune('a'+i%26)), n)
		switch step[0] {
		case 'w':
			n, err = w.Write([]byte(text))
		case 's':
			n, err = io.WriteString(w, text)
		case 'r':
			n, err = io.ReadFull(r.Body, make([]byte, n))
			w.Header().Add("X-Read", fmt.Sprint(n, " ", err))
		case 'f':
			err = rc.Flush()
		case 'h':
			w.Header().Set(fmt.Sprint("X-", i), "set")
		case 'e':
			w.WriteHeader(http.StatusEarlyHints)
		case 'c':
			w.WriteHeader(n)
		case 'l':
			w.Header().Set("Content-Length", step[1:])
		case 'd':
			err = rc.EnableFullDuplex()
		case 'p':
			panic("oops")
		}
		fmt.Fprintln(&all, step, n, err)
	}
}

type results chan string

// For any calls of the ResponseWriter, the client gets the same bytes as from package net/http
// without OnLoop. Chunks have the same lengths, the header is taken at the same moment, and errors
// come from the same call.
func TestOnLoopSendsTheBytesOfNetHTTP(t *testing.T) {
	theirs, ours := make(results, 1), make(results, 1)
	plain := newHTTPServer(t, http.HandlerFunc(theirs.steps), 1)
	visited := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(ours.steps)), 1)
	try := func(list, fields, body string) {
		sent := fmt.Sprintf("POST /?%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s",
			list, len(body), fields, body)
		want := exchange(t, plain.Listener.Addr().String(), sent)
		if got := exchange(t, visited.Listener.Addr().String(), sent); got != want {
			t.Errorf("%s %q %d\non a loop %.900q\ntheirs    %.900q", list, fields, len(body), got, want)
		}
		if got, want := <-ours, <-theirs; got != want {
			t.Errorf("%s %q %d\non a loop %s\ntheirs    %s", list, fields, len(body), got, want)
		}
	}
	for _, list := range []string{
		"w5", "s5", "w0", "w0,h", "w0,h,w5", "f", "c200", "c204,w3", "c304,w0",
		"w2048", "w2049", "w2047,w1", "w2047,w2", "w9000",
		"w5,w9000", "c204,w3000", "c204,s1,s1", "w5,f,w5", "w5,h", "h,w5,h", "c404,h,w5", "e,w5", "h,e,h,w5", "w5,e", "l5,w5", "l5,w3,w3,w2", "l5,w3",
		"l3,w3000,w3", "w5,p", "w3000,p", "s1000,s1000,s1000,p", "w5,f,p", "p", "r3,w5", "r3,w3000,r3", "w3000,r3", "w5,r3",
		"d,w3000,r3,f,r5", "c500,c200,w5", "w2000,w2000,w2000,w2000,w2000", "w8192,w1", "s2048,s2048,s2048,s2048,s1", "c101",
	} {
		try(list, "", "0123456789")
		try(list, "Expect: 100-continue\r\n", "0123456789")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	sizes := []int{0, 1, 9, 100, 2047, 2048, 2049, 4096, 5000, 8192, 40_000}
	for range 300 {
		var list []string
		for range 1 + rnd.IntN(20) {
			n := sizes[rnd.IntN(len(sizes))]
			list = append(list, []string{
				fmt.Sprint("w", n), fmt.Sprint("w", n), fmt.Sprint("s", n), fmt.Sprint("w", rnd.IntN(3000)), "r3", "f", "h",
				fmt.Sprint("c", 200+rnd.IntN(5)),
			}[rnd.IntN(8)])
		}
		try(strings.Join(list, ","), "", strings.Repeat("0123456789", rnd.IntN(100)))
	}
}

// Requests are tasks of one loop: two at a time need no lock, and can wait for each other.
func TestOnLoopRequestsAreTasksOfOneLoop(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		visits := map[string]int{}
		pair := locks.NewBarrier(2)
		s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				visits[r.URL.Path]++
				_ = task.Yield(r.Context())
			}
			if r.URL.Path == "/pair" {
				if _, err := pair.Wait(r.Context()); err != nil {
					t.Error(err)
				}
			}
			fmt.Fprint(w, "from ", task.Self(r.Context()).Loop() != nil)
		})), version)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				path := []string{"/pair", "/" + fmt.Sprint(i)}[i%2]
				if got := whole(t, s, "GET", path, nil); got != "200 from true" {
					t.Errorf("got %q", got)
				}
			})
		}
		all.Wait()
		if visits["/pair"] != 1000 || len(visits) != 11 {
			t.Errorf("visits %v", visits)
		}
	})
}

// The context of the request has the values of the context from package net/http, before those of
// the portal, and its deadline. It belongs to the task.
func TestOnLoopContextHasTheValuesOfNetHTTP(t *testing.T) {
	type key string
	var portal *task.Portal
	ctx, cancel := context.WithCancel(context.Background())
	opened, ended := make(chan context.Context), make(chan error, 1)
	go func() {
		ended <- task.Run(ctx, func(ctx context.Context) error {
			ctx = context.WithValue(context.WithValue(ctx, key("both"), "portal"), key("portal"), "portal")
			portal = task.OpenPortal(ctx)
			opened <- ctx
			return await.Forever(ctx)
		})
	}()
	of := <-opened
	deadline := time.Now().Add(time.Hour)
	h := httpio.OnLoop(portal, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		_, server := ctx.Value(http.ServerContextKey).(*http.Server)
		_, addr := ctx.Value(http.LocalAddrContextKey).(net.Addr)
		when, _ := ctx.Deadline()
		values := fmt.Sprint(ctx.Value(key("both")), ctx.Value(key("portal")), ctx.Value(key("outer")))
		fmt.Fprint(w, values, server, addr, when.Equal(deadline))
		inner, stop := context.WithCancel(ctx) // of the standard library
		stop()
		fmt.Fprint(w, task.Yield(ctx), " ", errors.Is(task.Yield(inner), context.Canceled))
	}))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithDeadline(context.WithValue(r.Context(), key("both"), "net/http"), deadline)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(context.WithValue(ctx, key("outer"), "net/http")))
	}))
	s.Config.BaseContext = func(net.Listener) context.Context { return of } // belongs to another task
	s.Start()
	if got, want := whole(t, s, "GET", "/", nil), "200 net/httpportalnet/httptrue true true<nil> true"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Close()
	cancel()
	<-ended
}

// long is longer than the buffers of a connection. It is no slice from make, because the race
// detector makes a large allocation slow.
var long [32 << 20]byte

// A slow client delays only its own request. Another task of the loop runs while the client does
// not read the response, which is longer than the buffers.
func TestOnLoopSlowClientDelaysOnlyItsRequest(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		const size = len(long)
		ticked := make(chan struct{})
		s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			writing := true
			task.Go(r.Context(), func(ctx context.Context) error {
				for range 1000 { // the Write waits meanwhile: the client reads only after this
					if err := task.Yield(ctx); err != nil || !writing {
						t.Errorf("the client has read everything: %v", err)
					}
				}
				close(ticked)
				return nil
			})
			n, err := w.Write(long[:])
			writing = false
			if n != size || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
		})), version)
		resp := start(t, s, "GET", "/", nil)
		defer resp.Body.Close()
		<-ticked
		if n, err := io.Copy(io.Discard, resp.Body); n != int64(size) || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	})
}

// Bytes go in both directions at the same time, also by several tasks: under HTTP/2, and under
// HTTP/1.1 with EnableFullDuplex.
func TestOnLoopStreamsInBothDirections(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			if err := rc.EnableFullDuplex(); err != nil && version == 1 {
				t.Error(err)
			}
			w.Header().Set("Trailer", "X-Sum")
			_ = rc.Flush()
			var lines locks.Queue[string]
			sum := 0
			err := task.Scope(r.Context(), func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					defer lines.Shutdown(false)
					buf := make([]byte, 100)
					for {
						n, err := r.Body.Read(buf)
						if n > 0 {
							if err := lines.Put(ctx, string(buf[:n])); err != nil {
								return err
							}
						}
						if err != nil {
							return drop(err, io.EOF)
						}
					}
				})
				for {
					line, err := lines.Get(ctx)
					if err != nil {
						return nil
					}
					sum += len(line)
					if _, err := io.WriteString(w, line); err != nil {
						return err
					}
					if err := rc.Flush(); err != nil {
						return err
					}
				}
			})
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("X-Sum", strconv.Itoa(sum))
		})), version)
		body, send := io.Pipe()
		resp := start(t, s, "POST", "/", body)
		defer resp.Body.Close()
		got := make([]byte, 4)
		for i := range 100 {
			text := fmt.Sprintf("%04d", i)
			if _, err := io.WriteString(send, text); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(resp.Body, got); string(got) != text || err != nil {
				t.Fatalf("got %q, %v after %d", got, err, i)
			}
		}
		_ = send.Close()
		rest, err := io.ReadAll(resp.Body)
		if len(rest) > 0 || err != nil || resp.Trailer.Get("X-Sum") != "400" || resp.ProtoMajor != version {
			t.Errorf("%q, %v, %v by %s", rest, err, resp.Trailer, resp.Proto)
		}
	})
}

func drop(err, end error) error {
	if err == end {
		return nil
	}
	return err
}

// Tasks of a handler that write at the same time wait for each other: each Write is whole.
func TestOnLoopTasksWriteOneAtATime(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		const size, count = 300_000, 8
		s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = task.Scope(r.Context(), func(ctx context.Context) error {
				for i := range count {
					task.Go(ctx, func(context.Context) error {
						piece := strings.Repeat(string(rune('a'+i)), size)
						n, err := io.WriteString(w, piece[:10]) // is buffered
						if err == nil && n == 10 {
							_, err = w.Write([]byte(piece))
						}
						return err
					})
				}
				return nil
			})
		})), version)
		got := strings.TrimPrefix(whole(t, s, "GET", "/", nil), "200 ")
		if len(got) != count*(size+10) {
			t.Errorf("%d bytes", len(got))
		}
		for i := range count {
			if piece := strings.Repeat(string(rune('a'+i)), size); !strings.Contains(got, piece) {
				t.Errorf("the Write of %q is in pieces", piece[:1])
			}
		}
	})
}

// Blocking inside of OnLoop runs the handler on a goroutine, which uses the ResponseWriter and
// Body of package net/http.
func TestOnLoopWithBlocking(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		mux := http.NewServeMux()
		mux.Handle("/", httpio.Blocking(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			done := make(chan string)
			go func() {
				b, err := io.ReadAll(r.Body)
				done <- fmt.Sprint(len(b), " ", err)
			}()
			fmt.Fprint(w, <-done)
		})))
		s := newHTTPServer(t, httpio.OnLoop(newPortal(t), mux), version)
		if got := whole(t, s, "POST", "/", strings.NewReader(strings.Repeat("x", 100_000))); got != "200 100000 <nil>" {
			t.Errorf("got %q", got)
		}
	})
}

// The files of a form that was too large for the memory are removed before the client gets the
// response.
func TestOnLoopRemovesFilesOfForm(t *testing.T) {
	var name string
	s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
			return
		}
		f, err := r.MultipartForm.File["file"][0].Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		name = f.(*os.File).Name()
	})), 1)
	var form strings.Builder
	fields := multipart.NewWriter(&form)
	file, err := fields.CreateFormFile("file", "name")
	if err == nil {
		_, err = file.Write(make([]byte, 64<<10))
	}
	if err = errors.Join(err, fields.Close()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.URL, fields.FormDataContentType(), strings.NewReader(form.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := os.Stat(name); name == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q: %v", name, err)
	}
}

// The trailers of a request are set after the end of its body, whether they were announced or not.
func TestOnLoopTrailersOfARequest(t *testing.T) {
	s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Trailer, err)
	})), 1)
	for _, field := range []string{"", "Trailer: X-End\r\n"} {
		got := exchange(t, s.Listener.Addr().String(), "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"+field+
			"Connection: close\r\n\r\n1\r\nx\r\n0\r\nX-End: yes\r\n\r\n")
		if !strings.HasSuffix(got, "map[X-End:[yes]] <nil>") {
			t.Errorf("got %q", got)
		}
	}
}

// Deadlines of http.ResponseController take effect, also for a Read that waits.
func TestOnLoopDeadlines(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			task.Go(r.Context(), func(context.Context) error {
				return errors.Join(rc.SetWriteDeadline(time.Now().Add(time.Hour)), rc.SetReadDeadline(time.Unix(1, 0)))
			})
			_, err := io.ReadAll(r.Body)
			fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
		})), version)
		body, send := io.Pipe() // nothing is ever sent
		defer send.Close()
		resp := start(t, s, "POST", "/", body)
		defer resp.Body.Close()
		if got, _ := io.ReadAll(resp.Body); string(got) != "true" {
			t.Errorf("got %q", got)
		}
	})
}
