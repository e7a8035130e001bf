// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio/httpio"
	"baton/task"
)

// When the client disconnects, its request is cancelled. The handler may be waiting for something
// else, for the body, or for the client to read the response.
func TestOnLoopClientGoesAway(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		for _, how := range []string{"wait", "read", "write"} {
			began, ended := make(chan struct{}), make(chan error)
			s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(began)
				var err error
				for err == nil {
					switch how {
					case "wait":
						err = await.Forever(r.Context())
					case "read":
						_, err = r.Body.Read(make([]byte, 10))
					case "write":
						_, err = w.Write(make([]byte, 100_000))
					}
				}
				if how != "wait" { // package net/http has ended the call, and the context may end later
					_ = await.Forever(r.Context())
				}
				go func() { ended <- errors.Join(err, r.Context().Err()) }()
			})), version)
			ctx, cancel := context.WithCancel(limited(t))
			body, send := io.Pipe() // nothing is ever sent
			req, err := http.NewRequestWithContext(ctx, "POST", s.URL, bodyIf(how == "read", body))
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			all.Go(func() {
				if resp, err := s.Client().Do(req); err == nil {
					<-ctx.Done()
					_ = resp.Body.Close()
				}
			})
			<-began
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", how, err)
			}
			_ = send.Close() // the client waits for this
			all.Wait()
		}
	})
}

func bodyIf(yes bool, r io.Reader) io.Reader {
	if yes {
		return r
	}
	return nil
}

// The end of the context from package net/http cancels the request also during a Read of the body,
// while the client sends nothing. The Read ends with the handler.
func TestOnLoopContextEndsDuringARead(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		var giveUp context.CancelFunc
		h := httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			task.Go(r.Context(), func(context.Context) error {
				_, err := r.Body.Read(make([]byte, 1))
				return err
			})
			for !strings.Contains(waits(r.Context()), "the body of a request") {
				_ = task.Yield(r.Context())
			}
			giveUp()
			fmt.Fprint(w, errors.Is(await.Forever(r.Context()), context.Canceled))
		}))
		s := newHTTPServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			giveUp = cancel
			h.ServeHTTP(w, r.WithContext(ctx))
		}), version)
		body, send := io.Pipe() // nothing is ever sent
		defer send.Close()
		resp := start(t, s, "POST", "/", body)
		defer resp.Body.Close()
		if got, _ := io.ReadAll(resp.Body); string(got) != "true" {
			t.Errorf("got %q", got)
		}
	})
}

// An http.TimeoutHandler around OnLoop cancels the request's context.
func TestTimeoutHandlerAroundOnLoop(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		ended := make(chan error, 1)
		h := httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ended <- await.Forever(r.Context())
			_, _ = io.WriteString(w, strings.Repeat("late", 1000)) // more than is buffered
		}))
		s := newHTTPServer(t, http.TimeoutHandler(h, time.Millisecond, "too slow"), version)
		if got := whole(t, s, "GET", "/", nil); got != "503 too slow" {
			t.Errorf("got %q", got)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A panic ends only its own request. Package net/http logs it, with the stack of the task, or of
// the goroutine in Blocking. It does not log http.ErrAbortHandler.
func TestOnLoopPanic(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		for _, blocking := range []bool{false, true} {
			var h http.Handler = http.HandlerFunc(panics)
			if blocking {
				h = httpio.Blocking(h)
			}
			logged := make(lines, 10)
			s := newHTTPServer(t, httpio.OnLoop(newPortal(t), h), version)
			s.Config.ErrorLog.SetOutput(logged)
			for _, path := range []string{"/abort", "/panic", "/abort"} {
				resp, err := s.Client().Get(s.URL + path)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
				}
				if err == nil {
					t.Errorf("%s got a response", path)
				}
			}
			if got := whole(t, s, "GET", "/", nil); got != "200 hello" {
				t.Errorf("got %q", got)
			}
			text := <-logged
			s.Close()
			if !strings.Contains(text, "panic serving 127.0.0.1:") || !strings.Contains(text, "panicked: oops") ||
				!strings.Contains(text, "httpio_test.panics(") || len(logged) > 0 {
				t.Errorf("blocking %v: logged %s and %d more", blocking, text, len(logged))
			}
		}
	})
}

// lines receives the lines of a log.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func panics(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/panic":
		panic("oops")
	case "/abort":
		panic(http.ErrAbortHandler)
	}
	io.WriteString(w, "hello")
}

// A runtime.Goexit aborts the request and ends the portal's scope.
func TestOnLoopGoexit(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		portal, ended := runLoop(t.Context())
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
		s := newHTTPServer(t, httpio.OnLoop(portal, h), version)
		if resp, err := s.Client().Get(s.URL); err == nil {
			t.Errorf("got %v", resp)
			_ = resp.Body.Close()
		}
		if err := <-ended; !errors.Is(err, task.ErrGoexit) {
			t.Error(err)
		}
		if got := whole(t, s, "GET", "/", nil); got != "503 Service Unavailable\n" { // the loop has ended
			t.Errorf("got %q", got)
		}
	})
}

// After the portal is closed, requests get the status 503, and running handlers continue.
func TestOnLoopClosedPortalIs503(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		portal := newPortal(t)
		began, goOn := make(chan struct{}), make(chan struct{})
		s := newHTTPServer(t, httpio.OnLoop(portal, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			_, _, _ = await.Receive(r.Context(), goOn)
			io.WriteString(w, "hello")
		})), version)
		var all sync.WaitGroup
		all.Go(func() {
			if got := whole(t, s, "GET", "/", nil); got != "200 hello" {
				t.Errorf("got %q", got)
			}
		})
		<-began
		portal.Close()
		if got := whole(t, s, "GET", "/", nil); got != "503 Service Unavailable\n" {
			t.Errorf("got %q", got)
		}
		close(goOn)
		all.Wait()
	})
}

// The end of the loop's scope ends handlers that wait, even for a client that sends or reads
// nothing, and in Blocking too. A handler that still can completes its response. A response that
// has lost data is aborted.
func TestOnLoopHandlersEndWithTheLoop(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		for _, blocking := range []bool{false, true} {
			for how, want := range map[string]string{ // without a response if the connection is aborted
				"wait": "sorry", "read": "sorry", "write": "", "late flush": "some sorry", "late write": "",
			} {
				if blocking && how != "read" && how != "write" {
					continue
				}
				ctx, cancel := context.WithCancel(limited(t))
				portal, ended := runLoop(ctx)
				busy := make(chan struct{})
				var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					var err error
					for err == nil {
						switch how {
						case "wait":
							close(busy)
							err = await.Forever(r.Context())
						case "read":
							close(busy)
							_, err = r.Body.Read(make([]byte, 10))
						case "write":
							if w.Header().Get("X") == "" {
								w.Header().Set("X", "x")
								close(busy)
							}
							_, err = w.Write(make([]byte, 100_000))
						default:
							io.WriteString(w, "some ")
							close(busy)
							_ = await.Forever(r.Context())
							if how == "late flush" {
								err = http.NewResponseController(w).Flush()
							} else {
								_, err = w.Write(make([]byte, 100_000))
							}
						}
					}
					if !blocking && !errors.Is(err, context.Canceled) {
						t.Errorf("%s: %v", how, err)
					}
					io.WriteString(w, "sorry")
				})
				if blocking {
					h = httpio.Blocking(h)
				}
				s := newHTTPServer(t, httpio.OnLoop(portal, h), version)
				body, send := io.Pipe()
				var all sync.WaitGroup
				all.Go(func() {
					req, _ := http.NewRequestWithContext(limited(t), "POST", s.URL, bodyIf(how == "read", body))
					resp, err := s.Client().Do(req)
					var got []byte
					if err == nil {
						<-ctx.Done()
						got, err = io.ReadAll(resp.Body)
						_ = resp.Body.Close()
					}
					if (err == nil) != (want != "") || err == nil && string(got) != want {
						t.Errorf("%s, blocking %v: got %.100q, %v", how, blocking, got, err)
					}
				})
				<-busy
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				_ = send.Close()
				all.Wait()
			}
		}
	})
}

// Shutdown of package net/http waits for the tasks of its requests.
func TestOnLoopShutdownWaitsForTasks(t *testing.T) {
	portal := newPortal(t)
	began, goOn := make(chan struct{}), make(chan struct{})
	srv := &http.Server{Handler: httpio.OnLoop(portal, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		_, _, err := await.Receive(r.Context(), goOn)
		fmt.Fprint(w, "hello, ", err)
	}))}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := make(chan struct{})
	srv.RegisterOnShutdown(func() { close(shut) })
	var all sync.WaitGroup
	all.Go(func() {
		if err := srv.Serve(ln); err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	all.Go(func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); string(got) != "hello, <nil>" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	<-began
	all.Go(func() {
		<-shut
		close(goOn)
	})
	if err := srv.Shutdown(limited(t)); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// When a handler returns, the tasks that it has started are cancelled. The client gets the
// response before they have ended. Their errors go to the loop's exception handler.
func TestOnLoopCancelsTasksOfTheHandler(t *testing.T) {
	lost := errors.New("lost")
	reported := make(chan loop.Exception, 1)
	answered, ended := make(chan struct{}), make(chan error, 1)
	s := newHTTPServer(t, httpio.OnLoop(newPortal(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		task.Loop(r.Context()).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { reported <- e })
		task.Go(r.Context(), func(ctx context.Context) error {
			err := await.Forever(ctx)
			shielded, release := task.Shield(ctx, -1)
			defer release()
			_, _, _ = await.Receive(shielded, answered)
			_, late := w.Write([]byte("late"))
			_, read := r.Body.Read(make([]byte, 1))
			ended <- errors.Join(err, late, read)
			return lost
		})
		_ = task.Yield(r.Context())
		io.WriteString(w, "hello")
	})), 1)
	if got := whole(t, s, "POST", "/", strings.NewReader("body")); got != "200 hello" {
		t.Errorf("got %q", got)
	}
	close(answered)
	err := <-ended
	if !errors.Is(err, context.Canceled) || !errors.Is(err, http.ErrBodyReadAfterClose) ||
		!strings.Contains(err.Error(), "has returned") {
		t.Error(err)
	}
	if e := <-reported; !errors.Is(e.Err, lost) {
		t.Error(e)
	}
}

// After the handler has returned, calls of the ResponseWriter and of the Body fail, for tasks and
// for goroutines.
func TestOnLoopCallsAfterTheHandlerFail(t *testing.T) {
	versions(t, func(t *testing.T, version int) {
		portal := newPortal(t)
		var w1 http.ResponseWriter
		var r1 *http.Request
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w1, r1 = w, r })
		s := newHTTPServer(t, httpio.OnLoop(portal, h), version)
		if got := whole(t, s, "POST", "/", strings.NewReader("body")); got != "200 " {
			t.Errorf("got %q", got)
		}
		late := func(context.Context) error {
			w1.WriteHeader(500)
			w1.(http.Flusher).Flush()
			rc := http.NewResponseController(w1)
			_, write := w1.Write([]byte("late"))
			_, long := w1.Write(make([]byte, 100_000))
			_, _, hijack := rc.Hijack()
			_, read := r1.Body.Read(make([]byte, 10))
			push := w1.(http.Pusher).Push("/", nil)
			errs := []error{write, long, hijack, push, rc.Flush(), rc.SetReadDeadline(time.Now()), rc.EnableFullDuplex()}
			for i, err := range errs {
				if err == nil || !strings.Contains(err.Error(), "has returned") {
					t.Errorf("call %d: %v", i, err)
				}
			}
			if read != http.ErrBodyReadAfterClose || r1.Body.Close() != nil {
				t.Error(read)
			}
			return nil
		}
		_ = late(t.Context())
		if err := portal.Do(late); err != nil {
			t.Error(err)
		}
	})
}

// Only goroutines may call a handler that OnLoop returns.
func TestOnLoopMisusePanics(t *testing.T) {
	mustPanic := func(what, want string, fn func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
				t.Errorf("%s: %s", what, got)
			}
		}()
		fn()
	}
	mustPanic("no portal", "needs a portal", func() { httpio.OnLoop(nil, http.NotFoundHandler()) })
	portal := newPortal(t)
	h := httpio.OnLoop(portal, http.NotFoundHandler())
	if err := portal.Do(func(context.Context) error {
		mustPanic("on a task", "call the inner handler", func() {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		})
		return nil
	}); err != nil {
		t.Error(err)
	}
	var called string
	s := newHTTPServer(t, httpio.OnLoop(portal, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done := make(chan struct{})
		task.Loop(r.Context()).CallSoon(func() {
			defer close(done)
			defer func() { called = fmt.Sprint(recover()) }()
			_, _ = w.Write(make([]byte, 100_000))
		})
		_, _, _ = await.Receive(r.Context(), done)
	})), 1)
	whole(t, s, "GET", "/", nil)
	if !strings.Contains(called, "use a task of") {
		t.Error(called)
	}
}

// A stallingConn is a connection whose Write of a status 100 waits until goOn is closed.
type stallingConn struct {
	memConn
	writing, goOn chan struct{}
}

func (c *stallingConn) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "HTTP/1.1 100") {
		close(c.writing)
		<-c.goOn
	}
	return c.memConn.Write(p)
}

// WriteHeader must wait for a status 100 that is being sent to a client that does not read.
// Meanwhile other tasks run.
func TestOnLoopWriteHeaderWaitsForStatus100(t *testing.T) {
	c := &stallingConn{writing: make(chan struct{}), goOn: make(chan struct{})}
	c.in = strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
	c.ended = make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		task.Go(r.Context(), func(context.Context) error {
			_, err := io.ReadAll(r.Body)
			return err
		})
		_, _, _ = await.Receive(r.Context(), c.writing)
		task.Go(r.Context(), func(context.Context) error {
			close(c.goOn)
			return nil
		})
		w.WriteHeader(http.StatusTeapot)
	})
	srv := &http.Server{Handler: httpio.OnLoop(newPortal(t), h)}
	conns := make(memListener)
	var all sync.WaitGroup
	all.Go(func() { _ = srv.Serve(conns) })
	conns <- c
	<-c.ended
	_ = srv.Close()
	all.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := c.out.String(); !strings.HasPrefix(got, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 418 ") {
		t.Errorf("got %q", got)
	}
}
