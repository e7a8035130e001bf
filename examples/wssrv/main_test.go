// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

// A rig is a test with a server in a simulated world.
type rig struct {
	ctx    context.Context
	t      *testing.T
	server *task.Task[struct{}]
}

// with runs fn beside the server, and returns what the server prints.
func with(t *testing.T, fn func(r rig)) string {
	t.Helper()
	var output strings.Builder
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		r := rig{ctx, t, task.StartErr(ctx, func(ctx context.Context) error {
			out := log.New(&output, "", 0)
			ln, err := listen(ctx, out)
			if err != nil {
				return err
			}
			return newServer(out).Serve(ctx, ln)
		})}
		r.sleep(time.Second) // until it listens
		fn(r)
		r.server.Cancel(nil)
		if _, err := r.server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(output.String(), "serving on 127.0.0.1:8080\n")
}

func (r rig) sleep(d time.Duration) {
	r.t.Helper()
	if err := await.Sleep(r.ctx, d); err != nil {
		r.t.Fatal(err)
	}
}

// dial connects a client and sends its first message.
func (r rig) dial(sent string) *websocket.Conn {
	r.t.Helper()
	d := websocket.Dialer{NetDialContext: netio.Dialer{}.DialFunc(r.ctx)}
	ws, _, err := d.DialContext(r.ctx, "ws://127.0.0.1:8080/chat", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.send(ws, sent)
	return ws
}

func (r rig) send(ws *websocket.Conn, text string) {
	r.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

// receives fails the test if the next messages for a client are not wants.
func (r rig) receives(ws *websocket.Conn, wants ...string) {
	r.t.Helper()
	for _, want := range wants {
		if _, got, err := ws.ReadMessage(); string(got) != want || err != nil {
			r.t.Errorf("received %q, %v, want %q", got, err, want)
		}
	}
}

// closed fails the test if the connection of a client does not end with code.
func (r rig) closed(ws *websocket.Conn, code int) {
	r.t.Helper()
	if _, got, err := ws.ReadMessage(); !websocket.IsCloseError(err, code) {
		r.t.Errorf("received %q, %v, want the close with %d", got, err, code)
	}
	ws.Close()
}

const joinAda, joinBob = `{"kind":"join","name":"Ada"}`, `{"kind":"join","name":"Bob"}`

// All clients receive what a client says, and who joins and leaves.
func TestChat(t *testing.T) {
	got := with(t, func(r rig) {
		ada := r.dial(joinAda)
		r.receives(ada, `{"kind":"welcome","from":1,"name":"Ada"}`, `{"kind":"join","from":1,"name":"Ada","here":1}`)
		bob := r.dial(joinBob)
		r.receives(bob, `{"kind":"welcome","from":2,"name":"Bob"}`, `{"kind":"join","from":2,"name":"Bob","here":2}`)
		r.receives(ada, `{"kind":"join","from":2,"name":"Bob","here":2}`)
		r.send(ada, `{"kind":"say","text":" hello <b> "}`)
		for _, ws := range []*websocket.Conn{ada, bob} {
			r.receives(ws, `{"kind":"say","from":1,"name":"Ada","text":"hello \u003cb\u003e"}`)
		}
		r.send(ada, `{"kind":"say","text":" "}`) // is ignored
		r.send(ada, `{"kind":"sing","text":"la"}`)
		ada.Close()
		r.receives(bob, `{"kind":"leave","from":1,"name":"Ada","here":1}`)
		if err := bob.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Time{}); err != nil {
			r.t.Error(err)
		}
		r.closed(bob, 1000)
		r.sleep(time.Second)
	})
	if want := "Someone joined.\nSomeone joined.\nSomeone left.\nSomeone left.\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A name is one line of 1 to 30 characters.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"Ada":                    "Ada",
		" Ada \n Lovelace\t":     "Ada Lovelace",
		"":                       "Someone",
		"\u2003 \n":              "Someone",
		strings.Repeat("ö", 31):  strings.Repeat("ö", 30),
		strings.Repeat("a ", 20): strings.Repeat("a ", 15),
	} {
		if got := proper(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// The server closes the connection of a client that breaks the protocol.
func TestProtocolErrors(t *testing.T) {
	long := fmt.Sprintf(`{"kind":"say","text":%q}`, strings.Repeat("x", maxMessage))
	got := with(t, func(r rig) {
		for sent, code := range map[string]int{"hello": 1006, `{"kind":"say","text":"hello"}`: 1006, `{"name":"Bob"}`: 1006, long: 1009} {
			r.closed(r.dial(sent), code)
		}
		for sent, code := range map[string]int{"[]": 1006, long: 1009} {
			ws := r.dial(joinBob)
			for range 2 {
				if _, _, err := ws.ReadMessage(); err != nil {
					r.t.Error(err)
				}
			}
			r.send(ws, sent)
			r.closed(ws, code)
		}
	})
	if want := strings.Repeat("Someone joined.\nSomeone left.\n", 2); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The server closes the connection of a client that does not read. Other clients do not wait
// for it.
func TestSlowClient(t *testing.T) {
	got := with(t, func(r rig) {
		slow, ada := r.dial(joinBob), r.dial(joinAda)
		defer slow.Close()
		say := fmt.Sprintf(`{"kind":"say","text":%q}`, strings.Repeat("x", 4000))
		began, said := task.Now(r.ctx), 0
		for left := false; !left; said++ {
			r.send(ada, say)
			_, text, err := ada.ReadMessage()
			if err != nil {
				r.t.Fatal(err)
			}
			left = strings.Contains(string(text), `"leave"`)
		}
		if took := task.Now(r.ctx).Sub(began); took != 0 || said < maxWaiting/5000 || said > 10*maxWaiting/4000 {
			r.t.Errorf("cut off after %d messages and %v", said, took)
		}
		ada.Close()
		r.sleep(time.Second)
	})
	if want := "Someone joined.\nSomeone joined.\nSomeone left.\nSomeone left.\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A server that is cancelled sends a WebSocket close, and waits for the answer of a client for
// a bounded time.
func TestCloseAtTheEnd(t *testing.T) {
	for _, silent := range []bool{false, true} {
		with(t, func(r rig) {
			ada := r.dial(joinAda)
			defer ada.Close()
			r.sleep(time.Second)
			began := task.Now(r.ctx)
			r.server.Cancel(nil)
			want := patience
			if !silent {
				want = 0
				r.receives(ada, `{"kind":"welcome","from":1,"name":"Ada"}`, `{"kind":"join","from":1,"name":"Ada","here":1}`)
				r.closed(ada, websocket.CloseGoingAway)
			}
			_, _ = r.server.Await(r.ctx)
			if took := task.Now(r.ctx).Sub(began); took != want {
				r.t.Errorf("silent: %v, the end took %v", silent, took)
			}
		})
	}
}

// The server serves the page and nothing else.
func TestPage(t *testing.T) {
	with(t, func(r rig) {
		var s httpio.Session
		defer s.Close()
		resp, err := s.Get(r.ctx, "http://127.0.0.1:8080/")
		if err != nil {
			r.t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if got := resp.Header.Get("Content-Type"); string(body) != string(page) || got != "text/html; charset=utf-8" || err != nil {
			r.t.Errorf("%d bytes, %s, %v", len(body), got, err)
		}
		for _, path := range []string{"/index.html", "/chat/"} {
			_, err := s.Get(r.ctx, "http://127.0.0.1:8080"+path)
			if e, ok := errors.AsType[*httpio.StatusError](err); !ok || e.Code != http.StatusNotFound {
				r.t.Errorf("%s: %v", path, err)
			}
		}
		_, err = s.Get(r.ctx, "http://127.0.0.1:8080/chat") // without an upgrade
		if e, ok := errors.AsType[*httpio.StatusError](err); !ok || e.Code != http.StatusBadRequest {
			r.t.Error(err)
		}
	})
}
