// SPDX-License-Identifier: Apache-2.0

package tasks

import (
	"slices"
	"strings"

	"baton/examples/compare/chat"
)

// A room has the clients that are connected. No method of a room switches, so no other task
// runs during a call.
type room struct {
	cfg      chat.Config
	clients  []*client // in the order in which they connected
	messages int
}

func (r *room) stats() chat.Stats {
	return chat.Stats{Clients: len(r.names()), Messages: r.messages}
}

// enter adds a client, unless the room is full.
func (r *room) enter(c *client) bool {
	if len(r.clients) >= r.cfg.MaxClients {
		return false
	}
	r.clients = append(r.clients, c)
	r.send(c, chat.Ask)
	return true
}

// exit removes a client whose connection ends.
func (r *room) exit(c *client) {
	i := slices.Index(r.clients, c)
	r.clients = slices.Delete(r.clients, i, i+1)
}

// handle handles a line of c.
func (r *room) handle(c *client, line string) {
	switch {
	case c.left(): // since read has returned the line
	case line == "/quit":
		r.leave(c, chat.Quit)
	case c.name == "":
		r.join(c, line)
	case line == "/who":
		r.send(c, chat.Who(r.names()))
	case strings.HasPrefix(line, "/"):
		r.send(c, chat.Unknown)
	case line != "":
		r.messages++
		r.tellAll(c, chat.Said(c.name, line))
	}
}

// join sets the name of c.
func (r *room) join(c *client, name string) {
	switch {
	case !chat.IsName(name):
		r.send(c, chat.BadName)
	case slices.Contains(r.names(), name):
		r.send(c, chat.Taken)
	default:
		c.name = name
		r.send(c, chat.Welcome(name))
		r.tellAll(c, chat.Joined(name))
	}
}

// names returns the names of the clients in the room.
func (r *room) names() []string {
	var names []string
	for _, c := range r.clients {
		if c.present() {
			names = append(names, c.name)
		}
	}
	return names
}

// tellAll sends a line of c to all others. A client whose queue is full leaves only after all
// others have the line, so that all receive the lines in the same order.
func (r *room) tellAll(c *client, line string) {
	var slow []*client
	for _, other := range r.clients {
		if other != c && other.present() && !other.lines.TryPut(line) {
			slow = append(slow, other)
		}
	}
	for _, other := range slow {
		r.leave(other, chat.Slow)
	}
}

// send sends a line to c only.
func (r *room) send(c *client, line string) {
	if !c.lines.TryPut(line) {
		r.leave(c, chat.Slow)
	}
}

// leave makes c leave, if c has not left already. The reader of c stops. The writer still sends
// the lines in the queue.
func (r *room) leave(c *client, why string) {
	if c.left() {
		return
	}
	announce := c.present() && why != chat.Closing
	c.farewell = chat.Bye(why)
	c.lines.Shutdown(false)
	c.stop()
	if announce {
		r.tellAll(c, chat.Left(c.name, why))
	}
}

// left reports whether c has left. It may still be reading its last lines.
func (c *client) left() bool { return c.lines.IsShutdown() }

// present reports whether c is in the room: it has a name and has not left.
func (c *client) present() bool { return c.name != "" && !c.left() }
