// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
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

// A server is what the other side does with the connection of a client.
type server func(t *testing.T, ws *websocket.Conn, client *task.Task[struct{}])

// play runs the client at a server, with input that is there from the beginning and then
// goes on until the client has ended. It returns what the client prints.
func play(t *testing.T, input string, more bool, s server) (string, error) {
	t.Helper()
	in, typist := io.Pipe()
	defer in.Close()
	go func() {
		_, _ = io.WriteString(typist, input) // the client may end before
		if !more {
			typist.Close()
		}
	}()
	var out strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // against hangs
	defer cancel()
	err := task.Run(ctx, func(ctx context.Context) error {
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

// hears wants the next messages of the client.
func hears(t *testing.T, ws *websocket.Conn, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if _, got, err := ws.ReadMessage(); strings.TrimSpace(string(got)) != want || err != nil {
			t.Errorf("heard %q, %v, want %q", got, err, want)
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

// The client sends the lines of its input and closes in order. It prints what others do,
// without what would control the terminal.
func TestChat(t *testing.T) {
	got, err := play(t, "Ada\nhello\n\n how are you? \nbye", false, func(t *testing.T, ws *websocket.Conn, _ *task.Task[struct{}]) {
		hears(t, ws, `{"kind":"join","name":"Ada"}`)
		say(t, ws, `{"kind":"welcome","from":2,"name":"Ada"}`, `{"kind":"join","from":2,"name":"Ada"}`,
			`{"kind":"join","from":3,"name":"Bob"}`, `{"kind":"say","from":3,"name":"Bob","text":"a\u001b[2Jb\nc"}`,
			`{"kind":"say","from":2,"name":"Ada","text":"hello"}`, `{"kind":"leave","from":3,"name":"Bob"}`, `{"kind":"new"}`)
		hears(t, ws, `{"kind":"say","text":"hello"}`, `{"kind":"say","text":" how are you? "}`, `{"kind":"say","text":"bye"}`)
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("the end: %v", err)
		}
	})
	want := "Please enter your name: Welcome, Ada!\nBob joined.\nBob: a[2Jbc\nBob left.\n"
	if got != want || err != nil {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// The end of the server ends the client, although it waits for input.
func TestServerEnds(t *testing.T) {
	for code, want := range map[int]string{websocket.CloseGoingAway: "The server has ended.\n", websocket.CloseInternalServerErr: ""} {
		got, err := play(t, "Ada\nhello\n", true, func(t *testing.T, ws *websocket.Conn, _ *task.Task[struct{}]) {
			hears(t, ws, `{"kind":"join","name":"Ada"}`, `{"kind":"say","text":"hello"}`)
			if err := ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, "")); err != nil {
				t.Error(err)
			}
		})
		if got != "Please enter your name: "+want || (err == nil) != (want != "") {
			t.Errorf("%d: %q, %v", code, got, err)
		}
	}
}

// A Ctrl-C ends the client, although it waits for input.
func TestCancel(t *testing.T) {
	stop := errors.New("Ctrl-C")
	_, err := play(t, "Ada\n", true, func(t *testing.T, ws *websocket.Conn, client *task.Task[struct{}]) {
		hears(t, ws, `{"kind":"join","name":"Ada"}`)
		client.Cancel(stop)
		if _, got, err := ws.ReadMessage(); err == nil {
			t.Errorf("heard %q", got)
		}
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// Without a name there is no connection.
func TestNoName(t *testing.T) {
	got, err := play(t, "", false, func(t *testing.T, _ *websocket.Conn, _ *task.Task[struct{}]) {
		t.Error("a connection")
	})
	if got != "Please enter your name: \n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
