// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) {
	log.SetFlags(0)
	goleak.VerifyTestMain(m)
}

// logged redirects the log to a string until the test ends.
func logged(t *testing.T) *strings.Builder {
	var b strings.Builder
	log.SetOutput(&b)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	return &b
}

// start starts the server, and returns when the server listens.
func start(ctx context.Context, t *testing.T) *task.Task[struct{}] {
	t.Helper()
	server := task.StartErr(ctx, serve)
	if err := await.Sleep(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	return server
}

// dial connects to the server.
func dial(ctx context.Context, t *testing.T) *netio.Stream {
	t.Helper()
	s, err := netio.Dial(ctx, "tcp", "localhost:54321")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends text, and fails the test if the answer is not want.
func ask(ctx context.Context, t *testing.T, s *netio.Stream, text, want string) {
	t.Helper()
	if _, err := s.Write(ctx, []byte(text)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := s.ReadFull(ctx, got); err != nil || string(got) != want {
		t.Errorf("to %q the server answers %q, %v, want %q", text, got, err, want)
	}
}

// ended fails the test if the server sends anything before the end of the connection.
func ended(ctx context.Context, t *testing.T, s *netio.Stream) {
	t.Helper()
	if rest, err := s.ReadAll(ctx, 100); err != nil || len(rest) > 0 {
		t.Errorf("the server sends %q, %v, want the end of the connection", rest, err)
	}
}

// frame returns a request, and answer a response.
func frame(id int, body string) string { return fmt.Sprintf("request %d %d\n%s", id, len(body), body) }

func answer(id int, body string) string {
	return fmt.Sprintf("response %d %d\r\n%s\r\n", id, len(body)+2, body)
}

// The server answers requests in their order. Each connection has its own numbers, and all
// connections share the values.
func TestRequests(t *testing.T) {
	said := logged(t)
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		server := start(ctx, t)
		s := dial(ctx, t)
		for i, c := range []struct{ request, response string }{
			{`{"type": "get", "key": "a"}`, `{"status":"notfound"}`},
			{`{"type": "set", "key": "a", "value": "ö"}`, `{"status":"ok"}`},
			{`{"type": "get", "key": "a"}`, `{"status":"ok","value":"ö"}`},
			{`{"type": "set", "key": "a", "value": ""}`, `{"status":"ok"}`},
			{`{"type": "get", "key": "a"}`, `{"status":"ok","value":""}`},
			{`{"type": "delete", "key": "a"}`, `{"status":"ok"}`},
			{`{"type": "delete", "key": "a"}`, `{"status":"notfound"}`},
			{`{"type": "set", "key": "a"}`, `{"error":"value is not a string"}`},
			{`{"type": "set", "key": "a", "value": 1}`, `{"error":"value is not a string"}`},
			{`{"type": "get"}`, `{"error":"key is not a string"}`},
			{`{"type": "get", "key": null}`, `{"error":"key is not a string"}`},
			{`{"type": "got", "key": "a"}`, `{"error":"unknown request type"}`},
			{`{"type": 1, "key": "a"}`, `{"error":"type is not a string"}`},
			{`{"key": "a"}`, `{"error":"no type in request"}`},
			{`["get", "a"]`, `{"error":"request is not an object"}`},
		} {
			ask(ctx, t, s, frame(i+1, c.request), answer(i+1, c.response))
		}
		other := dial(ctx, t)
		ask(ctx, t, s, frame(16, `{"type":"set","key":"b","value":"1"}`), answer(16, `{"status":"ok"}`))
		ask(ctx, t, other, frame(1, `{"type":"get","key":"b"}`)+frame(2, `{"type":"get","key":"c"}`),
			answer(1, `{"status":"ok","value":"1"}`)+answer(2, `{"status":"notfound"}`))
		s.Close()
		other.Close()
		server.Cancel(nil)
		if _, err := server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	want := `socket 127.0.0.1:54321
socket [::1]:54321
got a connection from 127.0.0.1:49152
got a connection from 127.0.0.1:49153
`
	if got := said.String(); !strings.HasPrefix(got, want) || strings.Count(got, "end connection from 127.0.0.1:4915") != 2 {
		t.Errorf("the log is\n%s", got)
	}
}

// The server answers a bad frame with an error line, and closes the connection.
func TestBadFrames(t *testing.T) {
	said := logged(t)
	for frame, message := range map[string]string{
		"hello\n":                          "unparseable frame",
		"\n":                               "unparseable frame",
		"response 1 2\n":                   "frame does not start with request",
		"request one 2\n":                  "unparsable frame parameters",
		"request 1 two\n":                  "unparsable frame parameters",
		"request 2 2\n":                    "invalid frame parameters",
		"request 1 1\n":                    "invalid frame parameters",
		"request 1 99999999\n":             "invalid frame parameters",
		"request 1 2\r\n{}request 3 2\n{}": "invalid frame parameters",
		"request 1 2\n{x":                  "unparsable json",
	} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			said.Reset()
			defer task.ScopeOf(ctx).Cancel(nil)
			start(ctx, t)
			s := dial(ctx, t)
			defer s.Close()
			want := "error " + message + "\r\n"
			if strings.Contains(frame, "{}r") {
				want = answer(1, `{"error":"no type in request"}`) + want
			}
			ask(ctx, t, s, frame, want)
			ended(ctx, t, s)
		})
		if want := "error " + message + " from 127.0.0.1:49152\n"; !strings.HasSuffix(said.String(), want) {
			t.Errorf("the log is\n%swant the end %q", said, want)
		}
	}
}

// The server disconnects a client that is idle, also in the middle of a frame.
func TestTimeout(t *testing.T) {
	for _, begin := range []string{"", "request 1", "request 1 2\n", "request 1 2\n{"} {
		said := logged(t)
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			defer task.ScopeOf(ctx).Cancel(nil)
			start(ctx, t)
			s := dial(ctx, t)
			defer s.Close()
			began := task.Now(ctx)
			ask(ctx, t, s, begin, "")
			ended(ctx, t, s)
			if took := task.Now(ctx).Sub(began); took != *timeout {
				t.Errorf("after %q the server disconnects the client after %v", begin, took)
			}
		})
		if !strings.Contains(said.String(), "i/o timeout from 127.0.0.1:49152\n") {
			t.Errorf("the log is\n%s", said)
		}
	}
}

// It is no error if a client disconnects between two frames. In a frame it is an error.
func TestClientDisconnects(t *testing.T) {
	for begin, want := range map[string]string{
		"":                "end connection from",
		"request 1":       "error unexpected EOF from",
		"request 1 2\n":   "error EOF from",
		"request 1 2\n{":  "error unexpected EOF from",
		"request 1 2\n{}": "end connection from",
	} {
		said := logged(t)
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			defer task.ScopeOf(ctx).Cancel(nil)
			start(ctx, t)
			s := dial(ctx, t)
			defer s.Close()
			ask(ctx, t, s, begin, "")
			if err := s.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.ReadAll(ctx, 100); err != nil {
				t.Fatal(err)
			}
		})
		if !strings.HasSuffix(said.String(), want+" 127.0.0.1:49152\n") {
			t.Errorf("after %q the log is\n%s", begin, said)
		}
	}
}

// A server that is cancelled finishes the responses that it has begun, and disconnects idle
// clients.
func TestShutdown(t *testing.T) {
	*responseSleep = 10 * time.Second
	defer func() { *responseSleep = 0 }()
	logged(t)
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		server := start(ctx, t)
		busy, idle := dial(ctx, t), dial(ctx, t)
		defer busy.Close()
		defer idle.Close()
		body := answer(1, `{"status":"notfound"}`)
		header, _, _ := strings.Cut(body, "{")
		ask(ctx, t, busy, frame(1, `{"type":"get","key":"a"}`), header)
		server.Cancel(nil)
		began := task.Now(ctx)
		ended(ctx, t, idle)
		if now := task.Now(ctx); !now.Equal(began) {
			t.Errorf("the server keeps an idle client for %v", now.Sub(began))
		}
		ask(ctx, t, busy, "", strings.TrimPrefix(body, header))
		ended(ctx, t, busy)
		if _, err := server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// Random failures end connections.
func TestRandomFailure(t *testing.T) {
	*failPercent, *failSleep = 100, time.Second
	defer func() { *failPercent, *failSleep = 0, 0 }()
	logged(t)
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		defer task.ScopeOf(ctx).Cancel(nil)
		start(ctx, t)
		s := dial(ctx, t)
		defer s.Close()
		began := task.Now(ctx)
		ask(ctx, t, s, "request 1 2\n", "error random failure\r\n")
		ended(ctx, t, s)
		if took := task.Now(ctx).Sub(began); took <= 0 || took > time.Second {
			t.Errorf("the failure took %v", took)
		}
	})
}

// With --tls the server writes its certificate to standard output. A client that trusts the
// certificate can connect.
func TestTLS(t *testing.T) {
	*useTLS = true
	stdout := os.Stdout
	defer func() { *useTLS, os.Stdout = false, stdout }()
	logged(t)
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		defer task.ScopeOf(ctx).Cancel(nil)
		file, err := os.Create(filepath.Join(t.TempDir(), "cert.pem"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		os.Stdout = file
		start(ctx, t)
		config, err := selfsigned.Client(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		s, err := netio.DialTLS(ctx, "tcp", "localhost:54321", config)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ask(ctx, t, s, frame(1, `{"type":"get","key":"a"}`), answer(1, `{"status":"notfound"}`))
	})
}
