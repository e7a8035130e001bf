// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A visit is what happens at the server in a simulated world.
type visit struct {
	ctx    context.Context
	t      *testing.T
	server *task.Task[struct{}]
}

// with runs fn beside the server, and returns what the server prints.
func with(t *testing.T, fn func(v visit)) string {
	t.Helper()
	var log strings.Builder
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		v := visit{ctx, t, task.StartErr(ctx, func(ctx context.Context) error { return serve(ctx, &log) })}
		v.sleep(time.Second) // until it listens
		fn(v)
		v.server.Cancel(nil)
		if _, err := v.server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(log.String(), "serving on 127.0.0.1:8080\n")
}

func (v visit) sleep(d time.Duration) {
	v.t.Helper()
	if err := await.Sleep(v.ctx, d); err != nil {
		v.t.Fatal(err)
	}
}

// dial connects a client, which has sent something.
func (v visit) dial(sent string) *websocket.Conn {
	v.t.Helper()
	d := websocket.Dialer{NetDialContext: netio.Dialer{}.DialFunc(v.ctx)}
	ws, _, err := d.DialContext(v.ctx, "ws://127.0.0.1:8080/chat", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.send(ws, sent)
	return ws
}

func (v visit) send(ws *websocket.Conn, text string) {
	v.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		v.t.Fatal(err)
	}
}

// hears wants the next messages for a client.
func (v visit) hears(ws *websocket.Conn, wants ...string) {
	v.t.Helper()
	for _, want := range wants {
		if _, got, err := ws.ReadMessage(); string(got) != want || err != nil {
			v.t.Errorf("heard %q, %v, want %q", got, err, want)
		}
	}
}

// closed wants the end of a connection with a code.
func (v visit) closed(ws *websocket.Conn, code int) {
	v.t.Helper()
	if _, got, err := ws.ReadMessage(); !websocket.IsCloseError(err, code) {
		v.t.Errorf("heard %q, %v, want the close with %d", got, err, code)
	}
	ws.Close()
}

const joinAda, joinBob = `{"kind":"join","name":"Ada"}`, `{"kind":"join","name":"Bob"}`

// All clients hear what one of them says, who comes and who goes.
func TestChat(t *testing.T) {
	got := with(t, func(v visit) {
		ada := v.dial(joinAda)
		v.hears(ada, `{"kind":"welcome","from":1,"name":"Ada"}`, `{"kind":"join","from":1,"name":"Ada","here":1}`)
		bob := v.dial(joinBob)
		v.hears(bob, `{"kind":"welcome","from":2,"name":"Bob"}`, `{"kind":"join","from":2,"name":"Bob","here":2}`)
		v.hears(ada, `{"kind":"join","from":2,"name":"Bob","here":2}`)
		v.send(ada, `{"kind":"say","text":" hello <b> "}`)
		for _, ws := range []*websocket.Conn{ada, bob} {
			v.hears(ws, `{"kind":"say","from":1,"name":"Ada","text":"hello \u003cb\u003e"}`)
		}
		v.send(ada, `{"kind":"say","text":" "}`) // is nothing
		v.send(ada, `{"kind":"sing","text":"la"}`)
		ada.Close()
		v.hears(bob, `{"kind":"leave","from":1,"name":"Ada","here":1}`)
		if err := bob.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Time{}); err != nil {
			v.t.Error(err)
		}
		v.closed(bob, 1000)
		v.sleep(time.Second)
	})
	if want := "Someone joined.\nSomeone joined.\nSomeone left.\nSomeone left.\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A name is one line of 30 characters at most, and there is always one.
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

// Clients that do not keep to the protocol lose their connection.
func TestBadClients(t *testing.T) {
	long := fmt.Sprintf(`{"kind":"say","text":%q}`, strings.Repeat("x", maxMessage))
	got := with(t, func(v visit) {
		for sent, code := range map[string]int{"hello": 1006, `{"kind":"say","text":"hello"}`: 1006, `{"name":"Bob"}`: 1006, long: 1009} {
			v.closed(v.dial(sent), code)
		}
		for sent, code := range map[string]int{"[]": 1006, long: 1009} {
			ws := v.dial(joinBob)
			for range 2 {
				if _, _, err := ws.ReadMessage(); err != nil {
					v.t.Error(err)
				}
			}
			v.send(ws, sent)
			v.closed(ws, code)
		}
	})
	if want := strings.Repeat("Someone joined.\nSomeone left.\n", 2); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A client who does not read is cut off, and holds up no other.
func TestSlowClient(t *testing.T) {
	got := with(t, func(v visit) {
		slow, ada := v.dial(joinBob), v.dial(joinAda)
		defer slow.Close()
		say := fmt.Sprintf(`{"kind":"say","text":%q}`, strings.Repeat("x", 4000))
		began, said := task.Now(v.ctx), 0
		for left := false; !left; said++ {
			v.send(ada, say)
			_, text, err := ada.ReadMessage()
			if err != nil {
				v.t.Fatal(err)
			}
			left = strings.Contains(string(text), `"leave"`)
		}
		if took := task.Now(v.ctx).Sub(began); took != 0 || said < maxWaiting/5000 || said > 10*maxWaiting/4000 {
			v.t.Errorf("cut off after %d messages and %v", said, took)
		}
		ada.Close()
		v.sleep(time.Second)
	})
	if want := "Someone joined.\nSomeone joined.\nSomeone left.\nSomeone left.\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A server that is cancelled says goodbye, and waits for the answer of a client, but not
// for long.
func TestGoodbye(t *testing.T) {
	for _, rude := range []bool{false, true} {
		with(t, func(v visit) {
			ada := v.dial(joinAda)
			defer ada.Close()
			v.sleep(time.Second)
			began := task.Now(v.ctx)
			v.server.Cancel(nil)
			want := patience
			if !rude {
				want = 0
				v.hears(ada, `{"kind":"welcome","from":1,"name":"Ada"}`, `{"kind":"join","from":1,"name":"Ada","here":1}`)
				v.closed(ada, websocket.CloseGoingAway)
			}
			_, _ = v.server.Await(v.ctx)
			if took := task.Now(v.ctx).Sub(began); took != want {
				v.t.Errorf("rude: %v, the end took %v", rude, took)
			}
		})
	}
}

// The page needs nothing from elsewhere.
func TestPage(t *testing.T) {
	with(t, func(v visit) {
		var s httpio.Session
		defer s.Close()
		resp, err := s.Get(v.ctx, "http://127.0.0.1:8080/")
		if err != nil {
			v.t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if got := resp.Header.Get("Content-Type"); string(body) != string(page) || got != "text/html; charset=utf-8" || err != nil {
			v.t.Errorf("%d bytes, %s, %v", len(body), got, err)
		}
		for _, path := range []string{"/index.html", "/chat/"} {
			_, err := s.Get(v.ctx, "http://127.0.0.1:8080"+path)
			if e, ok := errors.AsType[*httpio.StatusError](err); !ok || e.Code != http.StatusNotFound {
				v.t.Errorf("%s: %v", path, err)
			}
		}
		_, err = s.Get(v.ctx, "http://127.0.0.1:8080/chat") // and no upgrade
		if e, ok := errors.AsType[*httpio.StatusError](err); !ok || e.Code != http.StatusBadRequest {
			v.t.Error(err)
		}
	})
}
