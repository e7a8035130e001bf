// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server serves the connection of a client.
type server func(t *testing.T, ws *websocket.Conn, client *task.Task[struct{}])

// play runs the client with a server, and returns what the client prints. The client reads input.
// If more is true, its input does not end then.
func play(t *testing.T, input string, more bool, s server) (string, error) {
	t.Helper()
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer w.Close()
	if _, err := w.WriteString(input); err != nil {
		t.Fatal(err)
	}
	if !more {
		w.Close()
	}
	var out strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // ends a test that hangs
	defer cancel()
	err = task.Run(ctx, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*port = ln.Addr().(*net.TCPAddr).Port
		var client *task.Task[struct{}]
		srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var up websocket.Upgrader
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer ws.Close()
			s(t, ws, client)
		})}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		client = task.StartErr(ctx, func(ctx context.Context) error { return run(ctx, in, &out) })
		_, err = client.Await(ctx)
		return errors.Join(err, srv.Shutdown(ctx))
	})
	return out.String(), err
}

// receives fails the test if the next messages of the client are not wants.
func receives(t *testing.T, ws *websocket.Conn, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if _, got, err := ws.ReadMessage(); strings.TrimSpace(string(got)) != want || err != nil {
			t.Errorf("received %q, %v, want %q", got, err, want)
		}
	}
}

// say sends messages to the client.
func say(t *testing.T, ws *websocket.Conn, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

// The client sends the lines of its input, and then a WebSocket close. It prints what other
// clients do, without characters that control the terminal.
func TestChat(t *testing.T) {
	got, err := play(t, "Ada\nhello\n\n how are you? \nbye", false, func(t *testing.T, ws *websocket.Conn, _ *task.Task[struct{}]) {
		receives(t, ws, `{"kind":"join","name":"Ada"}`)
		say(t, ws, `{"kind":"welcome","from":2,"name":"Ada"}`, `{"kind":"join","from":2,"name":"Ada"}`,
			`{"kind":"join","from":3,"name":"Bob"}`, `{"kind":"say","from":3,"name":"Bob","text":"a\u001b[2Jb\nc"}`,
			`{"kind":"say","from":2,"name":"Ada","text":"hello"}`, `{"kind":"leave","from":3,"name":"Bob"}`, `{"kind":"new"}`)
		receives(t, ws, `{"kind":"say","text":"hello"}`, `{"kind":"say","text":" how are you? "}`, `{"kind":"say","text":"bye"}`)
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("the connection ends with %v", err)
		}
	})
	want := "Please enter your name: Welcome, Ada!\nBob joined.\nBob: a[2Jbc\nBob left.\n"
	if got != want || err != nil {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// The end of the server ends the client, also while the client waits for input.
func TestServerEnds(t *testing.T) {
	for code, want := range map[int]string{websocket.CloseGoingAway: "The server has ended.\n", websocket.CloseInternalServerErr: ""} {
		got, err := play(t, "Ada\nhello\n", true, func(t *testing.T, ws *websocket.Conn, _ *task.Task[struct{}]) {
			receives(t, ws, `{"kind":"join","name":"Ada"}`, `{"kind":"say","text":"hello"}`)
			if err := ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, "")); err != nil {
				t.Error(err)
			}
		})
		if got != "Please enter your name: "+want || (err == nil) != (want != "") {
			t.Errorf("%d: %q, %v", code, got, err)
		}
	}
}

// A cancel ends the client, also while the client waits for input.
func TestCancel(t *testing.T) {
	stop := errors.New("Ctrl-C")
	_, err := play(t, "Ada\n", true, func(t *testing.T, ws *websocket.Conn, client *task.Task[struct{}]) {
		receives(t, ws, `{"kind":"join","name":"Ada"}`)
		client.Cancel(stop)
		if _, got, err := ws.ReadMessage(); err == nil {
			t.Errorf("received %q", got)
		}
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// Without a name the client does not connect.
func TestNoName(t *testing.T) {
	got, err := play(t, "", false, func(t *testing.T, _ *websocket.Conn, _ *task.Task[struct{}]) {
		t.Error("the client has connected")
	})
	if got != "Please enter your name: \n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
