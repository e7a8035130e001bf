// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxMessage = 8 << 10 // bytes of a message of a client
	maxName    = 30      // characters of a name
)

// A message is what clients and the server send, as JSON.
//
// A client sends a "join" with its name, and then a "say" for each text. The server sends a
// "welcome" to the client, with the client's number. It sends "join", "say" and "leave" to
// all clients.
type message struct {
	Kind string `json:"kind"`
	From int    `json:"from,omitempty"` // the number of the client that joined, spoke or left
	Name string `json:"name,omitempty"` // the name of this client
	Text string `json:"text,omitempty"` // the text of a "say"
	Here int    `json:"here,omitempty"` // how many clients there are after a "join" or "leave"
}

func (m message) encode() []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // cannot happen: every message can be encoded
	}
	return data
}

// A room has the clients that chat with each other. Only tasks of the loop use a room, and no
// method except chat switches, so a room needs no lock.
type room struct {
	log     *log.Logger
	clients []*client // in the order in which they joined
	last    int       // the number of the client that joined last
	closed  bool
}

// A client is a client that has joined.
type client struct {
	ws     *websocket.Conn
	number int
	name   string
}

var upgrader websocket.Upgrader

// chat serves a client. It returns when the client has left.
func (r *room) chat(w http.ResponseWriter, req *http.Request) {
	ws, err := upgrader.Upgrade(w, req, nil)
	if err != nil {
		return // Upgrade has sent an error to the client
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
			r.send(message{Kind: "say", From: c.number, Name: c.name, Text: text})
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
	if r.closed {
		c.close()
		return c
	}
	r.log.Println("Someone joined.")
	r.clients = append(r.clients, c)
	c.send(message{Kind: "welcome", From: c.number, Name: c.name}.encode())
	r.send(message{Kind: "join", From: c.number, Name: c.name, Here: len(r.clients)})
	return c
}

func (r *room) leave(c *client) {
	i := slices.Index(r.clients, c)
	if i < 0 {
		return
	}
	r.clients = slices.Delete(r.clients, i, i+1)
	r.log.Println("Someone left.")
	r.send(message{Kind: "leave", From: c.number, Name: c.name, Here: len(r.clients)})
}

// send sends m to all clients.
func (r *room) send(m message) {
	data := m.encode()
	for _, c := range r.clients {
		c.send(data)
	}
}

// send sends data to a client, and does not wait. It ignores the error: if the client reads too
// slowly, the connection is closed, and chat gets an error.
func (c *client) send(data []byte) { _ = c.ws.WriteMessage(websocket.TextMessage, data) }

// close closes the connections of all clients, also of those that join later.
func (r *room) close() {
	r.closed = true
	for _, c := range r.clients {
		c.close()
	}
}

// patience is how long a client may take to answer a WebSocket close.
const patience = 5 * time.Second

// close sends a WebSocket close. The client answers it, and the answer ends chat.
func (c *client) close() {
	text := websocket.FormatCloseMessage(websocket.CloseGoingAway, "the server ends")
	_ = c.ws.WriteControl(websocket.CloseMessage, text, time.Time{})
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
}

// proper returns name as one line of maxName characters at most, or "Someone" if name is blank.
func proper(name string) string {
	runes := []rune(strings.Join(strings.Fields(name), " "))
	if len(runes) == 0 {
		return "Someone"
	}
	return string(runes[:min(len(runes), maxName)])
}
