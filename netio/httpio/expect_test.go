// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// A watchedBody is the body of a request that records whether it is read and closed.
type watchedBody struct {
	io.Reader
	read, closed bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.read = true
	return b.Reader.Read(p)
}

func (b *watchedBody) Close() error { b.closed = true; return nil }

// A Transport waits for the status 100 for at most ExpectContinueTimeout, and does not send a body
// that the server has refused.
func TestExpectContinueTimeout(t *testing.T) {
	const never = -1
	say := func(ctx context.Context, s *netio.Stream, text string) error {
		_, err := s.Write(ctx, []byte(text))
		return err
	}
	refusal := func(status string) string {
		return "HTTP/1.1 " + status + "\r\nContent-Length: 8\r\n\r\nno, "
	}
	for _, c := range []struct {
		name    string
		timeout time.Duration
		method  string
		chunked bool
		answer  string        // what the server sends before it reads the body
		after   time.Duration // when it sends that, after the head of the request
		status  int
		sent    time.Duration // when the body is sent, after the head, or never
		kept    bool          // whether the connection is kept
	}{
		{"the server agrees", time.Minute, "POST", false, "HTTP/1.1 100 Continue\r\n\r\n", 2 * time.Second, 200, 2 * time.Second, true},
		{"to chunks", time.Minute, "POST", true, "HTTP/1.1 100 Continue\r\n\r\n", 2 * time.Second, 200, 2 * time.Second, true},
		{"to a GET", time.Minute, "GET", false, "HTTP/1.1 100 Continue\r\n\r\n", 2 * time.Second, 200, 2 * time.Second, true},
		{"after hints", time.Minute, "PUT", false, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Go\r\n\r\n", 2 * time.Second, 200, 2 * time.Second, true},
		{"twice", time.Minute, "POST", false, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", 2 * time.Second, 200, 2 * time.Second, true},
		{"too late", time.Second, "POST", false, "HTTP/1.1 100 Continue\r\n\r\n", 2 * time.Second, 200, time.Second, true},
		{"the server says nothing", 3 * time.Second, "POST", false, "", 0, 200, 3 * time.Second, true},
		{"hints only", 3 * time.Second, "POST", true, "HTTP/1.1 103 Early Hints\r\n\r\n", 0, 200, 3 * time.Second, true},
		{"no timeout", 0, "POST", false, "", 0, 200, 0, true},
		{"417", time.Minute, "POST", false, refusal("417 Expectation Failed"), time.Second, 417, never, false},
		{"401", time.Minute, "POST", true, refusal("401 Unauthorized"), time.Second, 401, never, false},
		{"401 to a GET", time.Minute, "GET", true, refusal("401 Unauthorized"), time.Second, 401, never, false},
		{"200", time.Minute, "POST", false, refusal("200 OK"), 0, 200, never, false},
	} {
		simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
			tr.ExpectContinueTimeout = c.timeout
			sent := time.Duration(never)
			var sc script
			sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, nth int) error {
				if !strings.Contains(sc.heads[len(sc.heads)-1], "Expect:") {
					return ok(ctx, s, "next")
				}
				asked := task.Now(ctx)
				task.Go(ctx, func(ctx context.Context) error {
					if err := await.Sleep(ctx, c.after); err != nil {
						return err
					}
					return say(ctx, s, c.answer)
				})
				_, err := s.Peek(ctx, 1)
				if err != nil {
					return err
				}
				sent = task.Now(ctx).Sub(asked)
				end := "body"
				if strings.Contains(sc.heads[len(sc.heads)-1], "chunked") {
					end = "4\r\nbody\r\n0\r\n\r\n"
				}
				if got, err := s.ReadUntil(ctx, []byte(end)); string(got) != end {
					t.Errorf("%s: the body is %q, %v", c.name, got, err)
				}
				if err := await.Sleep(ctx, time.Minute); err != nil { // what comes late has come
					return err
				}
				return ok(ctx, s, "done")
			})
			body := &watchedBody{Reader: strings.NewReader("body")}
			req := must(http.NewRequestWithContext(ctx, c.method, "http://127.0.0.1/", body))
			if !c.chunked {
				req.ContentLength = 4
			}
			req.Header.Set("Expect", "100-continue")
			resp, err := (&http.Client{Transport: tr}).Do(req)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if c.status == 200 && sent == never && c.sent != never {
				t.Errorf("%s: the body was not sent", c.name)
			}
			if strings.HasPrefix(c.answer, "HTTP/1.1 4") || c.sent == never { // the response takes longer than the timeout
				if err := await.Sleep(ctx, time.Hour); err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
			} else if text, err := io.ReadAll(resp.Body); string(text) != "done" || err != nil {
				t.Errorf("%s: %q, %v", c.name, text, err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != c.status || sent != c.sent || !body.closed {
				t.Errorf("%s: %s, sent after %v, want %v, %v; closed: %v", c.name, resp.Status, sent, c.status, c.sent, body.closed)
			}
			if read := c.sent != never || c.method == "GET"; body.read != read { // a GET looks whether there is one
				t.Errorf("%s: the body was read: %v", c.name, body.read)
			}
			if text, err := fetch(ctx, tr, 80); text != "next" || err != nil || (sc.conns == 1) != c.kept {
				t.Errorf("%s: then %q, %v, after %d connections", c.name, text, err, sc.conns)
			}
		})
	}
}

// The response that refuses a body is read to its end, however long it takes. Meanwhile the body
// is not sent, and nothing is closed.
func TestRefusalIsReadToItsEnd(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
		tr.ExpectContinueTimeout = time.Second
		var sc script
		sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, nth int) error {
			if strings.HasPrefix(sc.heads[len(sc.heads)-1], "GET") {
				return ok(ctx, s, "next")
			}
			for _, part := range []string{"HTTP/1.1 401 No\r\nContent-Length: 6\r\n\r\n", "ab", "cd", "ef"} {
				if _, err := s.Write(ctx, []byte(part)); err != nil {
					return err
				}
				if err := await.Sleep(ctx, time.Minute); err != nil {
					return err
				}
			}
			if got, err := s.ReadAll(ctx, 100); len(got) > 0 || err != nil {
				t.Errorf("the server has got %q, %v", got, err)
			}
			return errEnd
		})
		req := must(http.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", strings.NewReader("body")))
		req.Header.Set("Expect", "100-continue")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(resp.Body); string(text) != "abcdef" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		_ = resp.Body.Close()
		if text, err := fetch(ctx, tr, 80); text != "next" || err != nil || sc.conns != 2 {
			t.Errorf("then %q, %v, after %d connections", text, err, sc.conns)
		}
	})
}

// A cancel ends a request that waits for the status 100. A server that closes the connection then
// is an error. ResponseHeaderTimeout does not include the wait.
func TestWaitForStatus100Ends(t *testing.T) {
	for _, c := range []struct {
		name    string
		leaves  bool
		timeout time.Duration // of the context
		want    error
	}{
		{"cancel", false, time.Second, context.DeadlineExceeded},
		{"the server leaves", true, time.Hour, io.ErrUnexpectedEOF},
	} {
		simulate(t, func(ctx context.Context, t *testing.T, tr *httpio.Transport) {
			tr.ExpectContinueTimeout, tr.ResponseHeaderTimeout = 2*time.Hour, time.Millisecond
			var sc script
			sc.play(ctx, t, 80, func(ctx context.Context, s *netio.Stream, nth int) error {
				if c.leaves {
					return errors.Join(await.Sleep(ctx, time.Second), errEnd)
				}
				_, err := s.ReadAll(ctx, 100)
				return err
			})
			timed, release := await.WithTimeout(ctx, c.timeout)
			defer release()
			body := &watchedBody{Reader: strings.NewReader("body")}
			req := must(http.NewRequestWithContext(timed, "POST", "http://127.0.0.1/", body))
			req.Header.Set("Expect", "100-continue")
			_, err := tr.RoundTrip(req)
			_ = await.Sleep(ctx, time.Millisecond) // until the sending task has ended
			if !errors.Is(err, c.want) || body.read || !body.closed || sc.conns != 1 {
				t.Errorf("%s: %v, read %v, closed %v, %d connections", c.name, err, body.read, body.closed, sc.conns)
			}
		})
	}
}

// A server of package net/http gets the body if its handler reads it, and can refuse it, as with
// its own client.
func TestExpectContinueWithAPeer(t *testing.T) {
	for _, size := range []int{4, 1 << 20} {
		withPeer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refuse" {
				http.Error(w, "no", http.StatusUnauthorized)
				return
			}
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, " ", err)
		}, func(ctx context.Context, peer *httptest.Server) error {
			tr := &httpio.Transport{ExpectContinueTimeout: time.Minute}
			defer tr.CloseIdleConnections()
			for path, want := range map[string]string{"/": fmt.Sprint("200 OK ", size, " <nil>"), "/refuse": "401 Unauthorized no\n"} {
				req, err := http.NewRequestWithContext(ctx, "POST", peer.URL+path, strings.NewReader(strings.Repeat("x", size)))
				if err != nil {
					return err
				}
				req.Header.Set("Expect", "100-continue")
				resp, err := tr.RoundTrip(req)
				if err != nil {
					return err
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if got := resp.Status + " " + string(text); got != want || err != nil {
					t.Errorf("%s: %q, %v", path, got, err)
				}
			}
			return nil
		})
	}
}
