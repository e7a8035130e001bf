// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

// A script is a server in a simulated world whose responses are written by the test.
type script struct {
	open, most, conns int // connections
	heads             []string
}

// play serves a port of this host. It calls answer for each request, with the number of the
// request on its connection, starting with 1. An error ends the connection.
func (sc *script) play(ctx context.Context, t *testing.T, port int, answer func(ctx context.Context, s *netio.Stream, nth int) error) {
	t.Helper()
	ln, err := netio.Listen(ctx, "tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		t.Fatal(err)
	}
	srv := &netio.Server{OnError: func(*netio.Stream, error) {}}
	task.Go(ctx, func(ctx context.Context) error {
		return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
			sc.open++
			sc.conns++
			sc.most = max(sc.most, sc.open)
			defer func() { sc.open-- }()
			for nth := 1; ; nth++ {
				head, err := s.ReadUntil(ctx, []byte("\r\n\r\n"))
				if err != nil {
					return err
				}
				sc.heads = append(sc.heads, string(head))
				if err := answer(ctx, s, nth); err != nil {
					return err
				}
			}
		})
	})
}

var errEnd = errors.New("the end of a connection")

// ok sends a response with a body.
func ok(ctx context.Context, s *netio.Stream, body string) error {
	_, err := s.Write(ctx, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	return err
}

func okay(ctx context.Context, s *netio.Stream, _ int) error { return ok(ctx, s, "ok") }

// simulate runs fn in a simulated world, and then ends the servers there.
func simulate(t *testing.T, fn func(ctx context.Context, t *testing.T, tr *httpio.Transport)) {
	t.Helper()
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		_ = task.Scope(ctx, func(ctx context.Context) error {
			tr := &httpio.Transport{}
			defer task.ScopeOf(ctx).Cancel(nil)
			defer tr.CloseIdleConnections()
			fn(ctx, t, tr)
			return nil
		})
	})
}

// fetch sends a GET request to a port of this host.
func fetch(ctx context.Context, tr *httpio.Transport, port int) (string, error) {
	_, text, err := get(ctx, &http.Client{Transport: tr}, fmt.Sprintf("http://127.0.0.1:%d/", port))
	return text, err
}

// Requests beyond MaxConnsPerHost wait in order. A task that sends its next request at once does
// not pass them.
func TestRequestsWaitInTheirOrder(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, okay)
		tr.MaxConnsPerHost = 1
		var order []string
		err := task.Scope(ctx, func(ctx context.Context) error {
			for _, name := range []string{"a", "b", "c"} {
				task.Go(ctx, func(ctx context.Context) error {
					for range 3 {
						if _, err := fetch(ctx, tr, 80); err != nil {
							return err
						}
						order = append(order, name)
					}
					return nil
				})
			}
			return nil
		})
		first := slices.Clone(order[:3])
		slices.Sort(first)
		if err != nil || !slices.Equal(first, []string{"a", "b", "c"}) || !slices.Equal(order[3:6], order[:3]) || sc.conns != 1 {
			t.Errorf("%v, %d connections, %v", order, sc.conns, err)
		}
	})
}

// A request that is cancelled while it waits for a connection takes no connection from the others.
func TestCancelledWaiterTakesNoConnection(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, okay)
		tr.MaxConnsPerHost = 1
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1/", nil)
		held, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		err = await.Timeout(ctx, time.Second, func(ctx context.Context) error { _, err := fetch(ctx, tr, 80); return err })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the waiter: %v", err)
		}
		served := task.Start(ctx, func(ctx context.Context) (string, error) { return fetch(ctx, tr, 80) })
		if err := await.Sleep(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		held.Body.Close()
		if text, err := served.Await(ctx); text != "ok" || err != nil || sc.most != 1 {
			t.Errorf("%q, %v, %d connections at once", text, err, sc.most)
		}
	})
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name  string
		tr    *httpio.Transport
		after time.Duration
		want  int
	}{
		{"by default two for a host", &httpio.Transport{}, 0, 4},
		{"one for a host", &httpio.Transport{MaxIdleConnsPerHost: 1}, 0, 2},
		{"none for a host", &httpio.Transport{MaxIdleConnsPerHost: -1}, 0, 0},
		{"three in all", &httpio.Transport{MaxIdleConns: 3}, 0, 3},
		{"none are kept", &httpio.Transport{DisableKeepAlives: true}, 0, 0},
		{"before their time", &httpio.Transport{IdleConnTimeout: time.Minute}, time.Minute - time.Millisecond, 4},
		{"after their time", &httpio.Transport{IdleConnTimeout: time.Minute}, time.Minute + time.Millisecond, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(ctx context.Context, t *testing.T, _ *httpio.Transport) {
				defer c.tr.CloseIdleConnections()
				var sc script
				for port := 80; port < 82; port++ {
					sc.play(ctx, t, port, func(ctx context.Context, s *netio.Stream, nth int) error {
						if err := await.Sleep(ctx, time.Second); err != nil {
							return err
						}
						return ok(ctx, s, "ok")
					})
				}
				err := task.Scope(ctx, func(ctx context.Context) error {
					for i := range 8 {
						task.Go(ctx, func(ctx context.Context) error { _, err := fetch(ctx, c.tr, 80+i%2); return err })
					}
					return nil
				})
				_ = await.Sleep(ctx, c.after)
				for range 10 {
					_ = await.Sleep(ctx, time.Microsecond) // until the server has noticed the Close
				}
				if strings.Contains(sc.heads[0], "Connection: close") != c.tr.DisableKeepAlives {
					t.Errorf("%q", sc.heads[0])
				}
				if err != nil || sc.open != c.want || sc.conns != 8 {
					t.Errorf("%d connections of %d are open, want %d; %v", sc.open, sc.conns, c.want, err)
				}
				c.tr.CloseIdleConnections()
				_ = await.Sleep(ctx, time.Second)
				if sc.open != 0 {
					t.Errorf("%d connections are open after CloseIdleConnections", sc.open)
				}
			})
		})
	}
}

// The loop notices that the server has closed an idle connection. No request is sent on it, not
// even a request that must not be repeated.
func TestClosedIdleConnectionLeavesThePool(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, nth int) error {
			if err := ok(ctx, s, ""); err != nil {
				return err
			}
			return errEnd
		})
		for range 3 {
			ctx := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
				if info.Reused {
					t.Error("a connection that has ended was in the pool")
				}
			}})
			resp, err := (&http.Client{Transport: tr}).Do(must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", nil)))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			_ = await.Sleep(ctx, time.Second)
		}
		if sc.conns != 3 {
			t.Errorf("%d connections, want 3", sc.conns)
		}
	})
}

// Bytes that the server sends without a request, after a response or later, are not read as the
// next response.
func TestUnrequestedBytesAreNotAResponse(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second} {
		simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
			var sc script
			sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
				answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
				evil := strings.Replace(answer, "\nok", "\nno", 1)
				if after == 0 {
					answer += evil
				}
				if _, err := s.Write(ctx, []byte(answer)); err != nil || after == 0 {
					return err
				}
				if err := await.Sleep(ctx, after); err != nil {
					return err
				}
				_, err := s.Write(ctx, []byte(evil))
				return err
			})
			for range 3 {
				if text, err := fetch(ctx, tr, 80); text != "ok" || err != nil {
					t.Errorf("%q, %v", text, err)
				}
				_ = await.Sleep(ctx, 2*time.Second)
			}
			if sc.conns != 3 {
				t.Errorf("%d connections, want 3", sc.conns)
			}
		})
	}
}

// A task reads the first byte of a GET body of unknown length, because such a body may switch.
func TestGetWithABodyOfUnknownLength(t *testing.T) {
	for left, want := range map[int]string{0: "", 3: "1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n0\r\n\r\n"} {
		simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
			var sc script
			sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
				body := make([]byte, len(want))
				if _, err := s.ReadFull(ctx, body); err != nil {
					return err
				}
				if strings.Contains(sc.heads[0], "Transfer-Encoding") != (left > 0) {
					t.Errorf("%q", sc.heads[0])
				}
				return ok(ctx, s, string(body))
			})
			body := &slowBody{ref: task.Self(ctx), left: left, err: io.EOF}
			resp, err := tr.RoundTrip(must(http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1/", body)))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); string(text) != want || !body.closed {
				t.Errorf("%q, %v, closed %v", text, err, body.closed)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// If the server closes a kept connection when the next request arrives, the request is sent again
// if it is safe to repeat.
func TestOnlyReplayableRequestsAreSentAgain(t *testing.T) {
	for _, c := range []struct {
		name, method, key, body string
		again                   bool
		want                    error
	}{
		{"GET", "GET", "", "", true, nil},
		{"GET with a body", "GET", "", "body", true, nil},
		{"POST", "POST", "", "body", false, io.ErrUnexpectedEOF},
		{"PUT", "PUT", "", "body", false, io.ErrUnexpectedEOF},
		{"POST with a key", "POST", "k", "body", true, nil},
		{"a body that is gone", "GET", "", "gone", false, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
				var sc script
				var bodies []string
				sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, nth int) error {
					if nth > 1 {
						return errEnd
					}
					if strings.Contains(sc.heads[len(sc.heads)-1], "Content-Length") {
						body := make([]byte, 4)
						if _, err := s.ReadFull(ctx, body); err != nil {
							return err
						}
						bodies = append(bodies, string(body))
					}
					if err := await.Sleep(ctx, time.Second); err != nil {
						return err
					}
					return ok(ctx, s, "ok")
				})
				if err := task.Scope(ctx, func(ctx context.Context) error { // two stale connections
					for range 2 {
						task.Go(ctx, func(ctx context.Context) error { _, err := fetch(ctx, tr, 80); return err })
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				var body io.Reader
				if c.body != "" {
					body = strings.NewReader(c.body)
				}
				req := must(http.NewRequestWithContext(ctx, c.method, "http://127.0.0.1/", body))
				if c.key != "" {
					req.Header.Set("Idempotency-Key", c.key)
				}
				if c.body == "gone" {
					req.GetBody = nil
				}
				var asked []string
				req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
					GetConn: func(address string) { asked = append(asked, address) },
					GotConn: func(info httptrace.GotConnInfo) {
						asked = append(asked, fmt.Sprint(info.Reused, info.Conn.RemoteAddr()))
					},
				}))
				before := req.Body
				resp, err := tr.RoundTrip(req)
				if err == nil {
					resp.Body.Close()
				}
				if !errors.Is(err, c.want) || (err == nil) != c.again {
					t.Errorf("%v", err)
				}
				first := []string{"127.0.0.1:80", "true 127.0.0.1:80"}
				if again := append(append(first, first...), "127.0.0.1:80", "false 127.0.0.1:80"); !slices.Equal(asked, first) != c.again ||
					c.again && !slices.Equal(asked, again) {
					t.Errorf("httptrace: %q", asked)
				}
				if want := 4; c.again && len(sc.heads) != want+1 || !c.again && len(sc.heads) != 3 {
					t.Errorf("the server got %d requests", len(sc.heads))
				}
				if c.again && c.body != "" && !slices.Equal(bodies, []string{c.body}) {
					t.Errorf("the bodies %q", bodies)
				}
				if req.Body != before {
					t.Error("the caller's request was changed")
				}
			})
		})
	}
}

// A request that has timed out is not sent again, also on a kept connection.
func TestRequestThatTimedOutIsNotSentAgain(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, nth int) error {
			if nth > 1 {
				_ = await.Sleep(ctx, time.Hour)
			}
			return ok(ctx, s, "ok")
		})
		tr.ResponseHeaderTimeout = time.Second
		if _, err := fetch(ctx, tr, 80); err != nil {
			t.Fatal(err)
		}
		began := task.Now(ctx)
		_, err := fetch(ctx, tr, 80)
		var e interface{ Timeout() bool }
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &e) || !e.Timeout() || task.Now(ctx).Sub(began) != time.Second {
			t.Errorf("%v after %v", err, task.Now(ctx).Sub(began))
		}
		if len(sc.heads) != 2 {
			t.Errorf("%d requests, want 2", len(sc.heads))
		}
	})
}

// A response that arrives in the turn of its timeout is returned. Its connection, which the timeout
// has closed, is not kept: the next request may be one that cannot be sent twice.
func TestResponseInTheTurnOfItsTimeout(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		var first *netio.Stream
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
			if sc.conns == 1 {
				first = s
				return nil
			}
			return ok(ctx, s, "ok")
		})
		var sleeps task.Future[bool] // so that its timer comes before the Transport's
		task.Go(ctx, func(ctx context.Context) error {
			sleeps.Set(true)
			_ = await.Sleep(ctx, time.Second)
			return ok(ctx, first, "ok")
		})
		if _, err := sleeps.Await(ctx); err != nil {
			t.Fatal(err)
		}
		tr.ResponseHeaderTimeout = time.Second
		if text, err := fetch(ctx, tr, 80); text != "ok" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", io.LimitReader(strings.NewReader("x"), 1)))
		resp, err := tr.RoundTrip(req)
		if err != nil || sc.conns != 2 {
			t.Fatalf("the next request: %v, %d connections", err, sc.conns)
		}
		resp.Body.Close()
	})
}

// A slowBody is a body that takes a second for each byte.
type slowBody struct {
	ref    *task.Ref
	left   int
	err    error // the error at its end
	closed bool
}

func (b *slowBody) Read(p []byte) (int, error) {
	_, ctx := b.ref.Running()
	if b.left == 0 {
		return 0, b.err
	}
	if err := await.Sleep(ctx, time.Second); err != nil {
		return 0, err
	}
	b.left--
	p[0] = 'x'
	return 1, nil
}

func (b *slowBody) Close() error { b.closed = true; return nil }

// A stuckBody is a body whose Read takes a day.
type stuckBody struct{ ref *task.Ref }

func (b stuckBody) Read(p []byte) (int, error) {
	_, ctx := b.ref.Running()
	return 0, await.Sleep(ctx, 24*time.Hour)
}

// ResponseHeaderTimeout begins when the request has been sent.
func TestResponseHeaderTimeoutBeginsAfterTheUpload(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
			if _, err := s.ReadUntil(ctx, []byte("0\r\n\r\n")); err != nil {
				return err
			}
			return ok(ctx, s, "ok")
		})
		tr.ResponseHeaderTimeout = 3 * time.Second
		body := &slowBody{ref: task.Self(ctx), left: 10, err: io.EOF}
		req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", body))
		resp, err := tr.RoundTrip(req)
		if err != nil || !body.closed {
			t.Fatal(err, body.closed)
		}
		resp.Body.Close()
	})
}

// If a body fails, or has another length than declared, the request fails with that error. The
// server would wait forever for the rest.
func TestFailingBodyFailsTheRequest(t *testing.T) {
	failed := errors.New("the body failed")
	for _, c := range []struct {
		name   string
		body   io.Reader
		length int64
		want   string
	}{
		{"at once", failing{failed}, -1, failed.Error()},
		{"too short", struct{ io.Reader }{strings.NewReader("abc")}, 5, "ContentLength=5 with Body length 3"},
		{"too short, in memory", strings.NewReader("abc"), 5, "ContentLength=5 with Body length 3"},
		{"too long", struct{ io.Reader }{strings.NewReader("abc")}, 2, "ContentLength=2 with Body length 3"},
		{"later", nil, -1, failed.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
				var sc script
				sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
					return await.Sleep(ctx, 24*time.Hour)
				})
				body := c.body
				if body == nil {
					body = &slowBody{ref: task.Self(ctx), left: 10, err: failed}
				}
				req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", body))
				req.ContentLength = c.length
				_, err := tr.RoundTrip(req)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %s", err, c.want)
				}
			})
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// RoundTrip returns a response that arrives before the body was sent. The end of the response ends
// the sending.
func TestResponseMayComeBeforeTheBodyIsSent(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
			return ok(ctx, s, "too large")
		})
		began := task.Now(ctx)
		err := task.Scope(ctx, func(ctx context.Context) error {
			req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", stuckBody{task.Self(ctx)}))
			req.ContentLength = 5 // short, but not in memory
			resp, err := tr.RoundTrip(req)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(resp.Body)
			if string(text) != "too large" {
				t.Errorf("%q, %v", text, err)
			}
			return err
		})
		if err != nil || task.Now(ctx).Sub(began) > 2*time.Second {
			t.Errorf("%v after %v", err, task.Now(ctx).Sub(began))
		}
		if text, err := fetch(ctx, tr, 80); text != "too large" || err != nil || sc.conns != 2 {
			t.Errorf("the next request: %q, %v, %d connections", text, err, sc.conns)
		}
	})
}

// A connection is kept if the last bytes of the request are sent shortly after the response has
// arrived, and closed if they take longer.
func TestConnectionIsKeptIfTheBodyEndsSoonAfterTheResponse(t *testing.T) {
	for _, answer := range []string{"ok", ""} {
		for late, conns := range map[time.Duration]int{10 * time.Millisecond: 1, time.Second: 2} {
			simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
				var sc script
				sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
					if _, err := s.ReadUntil(ctx, []byte("hello\r\n")); err != nil {
						return err
					}
					if err := ok(ctx, s, answer); err != nil {
						return err
					}
					_, err := s.ReadUntil(ctx, []byte("0\r\n\r\n"))
					return err
				})
				began := task.Now(ctx)
				for range 2 {
					body := io.MultiReader(strings.NewReader("hello"), &lateEnd{task.Self(ctx), late})
					resp, err := tr.RoundTrip(must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", body)))
					if err != nil {
						t.Fatal(err)
					}
					if text, err := io.ReadAll(resp.Body); string(text) != answer || err != nil {
						t.Errorf("%q, %v", text, err)
					}
					resp.Body.Close()
				}
				if took := task.Now(ctx).Sub(began); sc.conns != conns || took >= time.Second {
					t.Errorf("answer %q, end after %v: %d connections, want %d, after %v", answer, late, sc.conns, conns, took)
				}
			})
		}
	}
}

// A lateEnd is a body whose end comes late.
type lateEnd struct {
	ref  *task.Ref
	time time.Duration
}

func (b *lateEnd) Read([]byte) (int, error) {
	_, ctx := b.ref.Running()
	if err := await.Sleep(ctx, b.time); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// Close may be called while another task reads. The next request does not get the memory of that
// Read.
func TestBodyIsClosedDuringARead(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
			if _, err := s.Write(ctx, []byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")); err != nil {
				return err
			}
			return await.Sleep(ctx, time.Hour)
		})
		sc.play(ctx, t, 81, okay)
		resp, err := tr.RoundTrip(must(http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1/", nil)))
		if err != nil {
			t.Fatal(err)
		}
		reading := task.Start(ctx, func(ctx context.Context) (int, error) { return resp.Body.Read(make([]byte, 1)) })
		_ = await.Sleep(ctx, time.Second)
		resp.Body.Close()
		if text, err := fetch(ctx, tr, 81); text != "ok" || err != nil {
			t.Errorf("another request: %q, %v", text, err)
		}
		if _, err := reading.Await(ctx); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("the Read: %v", err)
		}
	})
}

// A request that is cancelled at any moment leaves no connection, and frees its slot.
func TestCancelAtAnyMomentLeavesNoConnection(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
			for _, piece := range []string{"HTTP/1.1 103 Early\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\n",
				"5\r\nhello\r\n", "0\r\n", "\r\n"} {
				if err := await.Sleep(ctx, time.Second); err != nil {
					return err
				}
				if _, err := s.Write(ctx, []byte(piece)); err != nil {
					return err
				}
			}
			return nil
		})
		tr.MaxConnsPerHost = 1
		done := 0
		for at := time.Duration(0); at < 8*time.Second; at += 250 * time.Millisecond {
			for _, body := range []io.Reader{nil, &slowBody{ref: task.Self(ctx), left: 100, err: io.EOF}} {
				err := await.Timeout(ctx, at, func(ctx context.Context) error {
					req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", body))
					resp, err := tr.RoundTrip(req)
					if err != nil {
						return err
					}
					defer resp.Body.Close()
					_, err = io.ReadAll(resp.Body)
					return err
				})
				if err == nil {
					done++
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", at, err)
				}
				tr.CloseIdleConnections()
				_ = await.Sleep(ctx, 10*time.Second) // the server notices at its next Write
				if sc.open != 0 {
					t.Errorf("after %v: %d connections are left", at, sc.open)
				}
			}
		}
		if done == 0 || sc.most != 1 {
			t.Errorf("%d requests had an answer, %d connections at once", done, sc.most)
		}
	})
}

// A task that panics or exits during a request frees its slot, if it has deferred the Close of the
// body.
func TestTaskThatEndsDuringARequestFreesItsSlot(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, okay)
		tr.MaxConnsPerHost = 1
		err := task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				resp, err := tr.RoundTrip(must(http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1/", nil)))
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				runtime.Goexit()
				return nil
			})
			return nil
		})
		if err == nil {
			t.Error("the task ended without an error")
		}
		func() { // the Body of a request panics
			defer func() {
				if recover() == nil {
					t.Error("the body did not panic")
				}
			}()
			body := io.MultiReader(strings.NewReader("abc"), panicking{})
			req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", body))
			req.ContentLength, req.GetBody = 5, func() (io.ReadCloser, error) { return nil, nil }
			_, _ = tr.RoundTrip(req)
		}()
		if text, err := fetch(ctx, tr, 80); text != "ok" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// If the Read of a body ends its task by runtime.Goexit, the request does not wait forever.
func TestBodyWhoseReadCallsGoexit(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error { return await.Sleep(ctx, time.Hour) })
		began := task.Now(ctx)
		err := task.Scope(ctx, func(ctx context.Context) error {
			_, err := tr.RoundTrip(must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", exiting{})))
			return err
		})
		if err == nil || task.Now(ctx).Sub(began) > time.Minute || sc.open > 1 {
			t.Errorf("%v after %v", err, task.Now(ctx).Sub(began))
		}
	})
}

type exiting struct{}

func (exiting) Read([]byte) (int, error) { runtime.Goexit(); return 0, nil }

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("in the body") }

func TestManyTasksShareATransport(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, nth int) error {
			target := strings.Fields(sc.heads[len(sc.heads)-1])[1]
			if nth%3 == 0 {
				_ = await.Sleep(ctx, time.Millisecond)
			}
			if err := ok(ctx, s, target); err != nil || nth < 5 {
				return err
			}
			return errEnd
		})
		tr.MaxConnsPerHost, tr.MaxIdleConnsPerHost = 7, 5
		err := task.Scope(ctx, func(ctx context.Context) error {
			for i := range 50 {
				task.Go(ctx, func(ctx context.Context) error {
					for j := range 10 {
						want := fmt.Sprintf("/%d/%d", i, j)
						_, text, err := get(ctx, &http.Client{Transport: tr}, "http://127.0.0.1"+want)
						if err != nil || text != want {
							return fmt.Errorf("%q, want %q: %w", text, want, err)
						}
					}
					return nil
				})
			}
			return nil
		})
		if err != nil || sc.most > 7 || len(sc.heads) < 500 {
			t.Errorf("%v, %d connections at once, %d requests", err, sc.most, len(sc.heads))
		}
	})
}

// An invalid request is refused before it is sent.
func TestBadRequestsAreNotSent(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		for name, change := range map[string]func(*http.Request){
			"method":  func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nA:" },
			"scheme":  func(r *http.Request) { r.URL.Scheme = "ftp" },
			"host":    func(r *http.Request) { r.URL.Host = "" },
			"name":    func(r *http.Request) { r.Header["a b"] = []string{"x"} },
			"value":   func(r *http.Request) { r.Header["A"] = []string{"x\r\nB: y"} },
			"trailer": func(r *http.Request) { r.Trailer = http.Header{"A": {"x\ny"}} },
		} {
			body := &slowBody{}
			req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", body))
			change(req)
			if _, err := tr.RoundTrip(req); err == nil || !strings.HasPrefix(err.Error(), "httpio: ") {
				t.Errorf("%s: %v", name, err)
			}
			if !body.closed {
				t.Errorf("%s: the body is open", name)
			}
		}
	})
}

// After the end of a body, and after an error of the connection, each Read returns the same error.
// Close does not replace it.
func TestResponseBodyRepeatsItsError(t *testing.T) {
	for _, row := range []struct {
		name, response string
		want           error
	}{
		{"end", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", io.EOF},
		{"truncated", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", io.ErrUnexpectedEOF},
		{"truncated chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", io.ErrUnexpectedEOF},
		{"timeout", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", context.DeadlineExceeded},
	} {
		simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
			var sc script
			sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, _ int) error {
				_, err := s.Write(ctx, []byte(row.response))
				if row.want == context.DeadlineExceeded {
					return await.Sleep(ctx, time.Hour)
				}
				return errors.Join(err, errEnd)
			})
			ctx, release := await.WithTimeout(ctx, time.Second)
			defer release()
			resp, err := tr.RoundTrip(must(http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1/", nil)))
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			if n, err := io.ReadFull(resp.Body, buf[:2]); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			for i := range 4 {
				if i == 3 {
					resp.Body.Close()
				}
				if n, err := resp.Body.Read(buf); n > 0 || !errors.Is(err, row.want) {
					t.Errorf("%s: Read %d: %d, %v, want %v", row.name, i, n, err, row.want)
				}
			}
		})
	}
}
