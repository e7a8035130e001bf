// SPDX-License-Identifier: Apache-2.0

package goroutines

import (
	"slices"
	"strings"
	"sync"
	"time"

	"baton/examples/compare/chat"
)

// A room has the clients that are connected.
type room struct {
	cfg chat.Config

	mu       sync.Mutex // protects the fields below, and some fields of each client
	clients  []*client  // in the order in which they connected
	messages int
	closed   bool
}

func (r *room) stats() chat.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return chat.Stats{Clients: len(r.names()), Messages: r.messages}
}

// enter adds a client, unless the room is full.
func (r *room) enter(c *client) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.clients) >= r.cfg.MaxClients {
		return false
	}
	r.clients = append(r.clients, c)
	r.send(c, chat.Ask)
	r.extend(c)
	if r.closed {
		r.drop(c, chat.Closing)
	}
	return true
}

// exit removes a client whose connection ends.
func (r *room) exit(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.clients, c)
	r.clients = slices.Delete(r.clients, i, i+1)
}

// leave makes c leave, if c has not left already.
func (r *room) leave(c *client, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(c, why)
}

// close makes all clients leave. Clients that connect later leave at once.
func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.clients {
		r.drop(c, chat.Closing)
	}
}

// handle handles a line of c. It reports whether c is still in the room.
func (r *room) handle(c *client, line string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case c.left:
	case line == "/quit":
		r.drop(c, chat.Quit)
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
	r.extend(c)
	return !c.left
}

// The caller of a method below holds the mutex.

// extend gives c another IdleTimeout. It does not change the deadline of a client that has
// left: drop has set it.
func (r *room) extend(c *client) {
	if !c.left {
		c.conn.SetReadDeadline(time.Now().Add(r.cfg.IdleTimeout))
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
		if other != c && other.present() && !other.put(line) {
			slow = append(slow, other)
		}
	}
	for _, other := range slow {
		r.drop(other, chat.Slow)
	}
}

// send sends a line to c only.
func (r *room) send(c *client, line string) {
	if !c.left && !c.put(line) {
		r.drop(c, chat.Slow)
	}
}

// drop makes c leave. The writer of c still sends the lines in the queue.
func (r *room) drop(c *client, why string) {
	if c.left {
		return
	}
	announce := c.present() && why != chat.Closing
	c.left = true
	c.farewell = chat.Bye(why)
	close(c.lines)
	c.conn.SetDeadline(time.Now().Add(r.cfg.Grace))
	if announce {
		r.tellAll(c, chat.Left(c.name, why))
	}
}

// put puts a line into the queue. It reports whether the queue had space.
func (c *client) put(line string) bool {
	select {
	case c.lines <- line:
		return true
	default:
		return false
	}
}

// present reports whether c is in the room: it has a name and has not left.
func (c *client) present() bool { return c.name != "" && !c.left }
