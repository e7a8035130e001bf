// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"baton/await"
)

const (
	maxMessage = 8 << 10 // bytes of a message of a client
	maxName    = 30      // characters of a name
)

// A message is what client and server send each other, in JSON.
//
// A client sends a "join" with its name, and then a "say" for each text. The server sends
// a "welcome" to the client, with its number, and to all clients "join", "say" and "leave".
type message struct {
	Kind string `json:"kind"`
	From int    `json:"from,omitempty"` // the number of the client that the message is about
	Name string `json:"name,omitempty"` // of this client
	Text string `json:"text,omitempty"` // of a "say"
	Here int    `json:"here,omitempty"` // after a "join" or "leave", how many clients there are
}

func (m message) encode() []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // a message can be encoded
	}
	return data
}

// A room is where all clients meet. Only tasks of the loop use it, and none of its methods
// but chat and goodbye switches: so it needs no lock.
type room struct {
	log     io.Writer
	clients []*client // in the order in which they came
	last    int       // number of a client
	closing bool
}

// A client is one of those who chat.
type client struct {
	ws     *websocket.Conn
	number int
	name   string
}

var upgrader websocket.Upgrader

// chat is the handler of a client. It returns when the client has left.
func (r *room) chat(w http.ResponseWriter, req *http.Request) {
	ws, err := upgrader.Upgrade(w, req, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer ws.Close()
	ws.SetReadLimit(maxMessage)
	m, err := read(ws)
	if err != nil || m.Kind != "join" {
		return
	}
	c := r.join(ws, m.Name)
	defer r.leave(c)
	for {
		m, err := read(ws)
		if err != nil {
			return
		}
		if text := strings.TrimSpace(m.Text); m.Kind == "say" && text != "" {
			r.tell(message{Kind: "say", From: c.number, Name: c.name, Text: text})
		}
	}
}

func read(ws *websocket.Conn) (m message, err error) {
	err = ws.ReadJSON(&m)
	return m, err
}

func (r *room) join(ws *websocket.Conn, name string) *client {
	r.last++
	c := &client{ws, r.last, proper(name)}
	if r.closing {
		c.goodbye()
		return c
	}
	fmt.Fprintln(r.log, "Someone joined.")
	r.clients = append(r.clients, c)
	c.hear(message{Kind: "welcome", From: c.number, Name: c.name}.encode())
	r.tell(message{Kind: "join", From: c.number, Name: c.name, Here: len(r.clients)})
	return c
}

func (r *room) leave(c *client) {
	i := slices.Index(r.clients, c)
	if i < 0 {
		return
	}
	r.clients = slices.Delete(r.clients, i, i+1)
	fmt.Fprintln(r.log, "Someone left.")
	r.tell(message{Kind: "leave", From: c.number, Name: c.name, Here: len(r.clients)})
}

// tell sends m to all clients.
func (r *room) tell(m message) {
	data := m.encode()
	for _, c := range r.clients {
		c.hear(data)
	}
}

// hear sends data to a client, and does not wait for that. A client who reads too slowly
// loses the connection: then chat gets an error, and there is nothing to do here.
func (c *client) hear(data []byte) { _ = c.ws.WriteMessage(websocket.TextMessage, data) }

// goodbye waits until ctx is cancelled, and then closes all connections in order.
func (r *room) goodbye(ctx context.Context) error {
	err := await.Forever(ctx)
	r.closing = true
	for _, c := range r.clients {
		c.goodbye()
	}
	return err
}

// patience is how long a client may take to answer a goodbye.
const patience = 5 * time.Second

// goodbye closes a connection. The client answers, and that ends chat.
func (c *client) goodbye() {
	text := websocket.FormatCloseMessage(websocket.CloseGoingAway, "the server ends")
	_ = c.ws.WriteControl(websocket.CloseMessage, text, time.Time{})
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
}

// proper returns a name as it is shown.
func proper(name string) string {
	runes := []rune(strings.Join(strings.Fields(name), " "))
	if len(runes) == 0 {
		return "Someone"
	}
	return string(runes[:min(len(runes), maxName)])
}
