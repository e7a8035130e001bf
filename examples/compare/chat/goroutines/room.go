// SPDX-License-Identifier: Apache-2.0

package goroutines

import (
	"slices"
	"strings"
	"sync"
	"time"

	"baton/examples/compare/chat"
)

// A room has the clients.
type room struct {
	cfg chat.Config

	mu       sync.Mutex // protects what follows, and parts of each client
	clients  []*client  // in the order of their coming
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

// leave has c leave, if it has not left already.
func (r *room) leave(c *client, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(c, why)
}

// close has all clients leave. Clients that come later leave at once.
func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.clients {
		r.drop(c, chat.Closing)
	}
}

// handle does what a line of c says. It reports whether c is still in the room.
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
		r.tell(c, chat.Said(c.name, line))
	}
	r.extend(c)
	return !c.left
}

// The methods below are called with the mutex locked.

// extend gives c another IdleTimeout. A client that has left has its last deadline, which
// drop has set.
func (r *room) extend(c *client) {
	if !c.left {
		c.conn.SetReadDeadline(time.Now().Add(r.cfg.IdleTimeout))
	}
}

// join gives c a name.
func (r *room) join(c *client, name string) {
	switch {
	case !chat.IsName(name):
		r.send(c, chat.BadName)
	case slices.Contains(r.names(), name):
		r.send(c, chat.Taken)
	default:
		c.name = name
		r.send(c, chat.Welcome(name))
		r.tell(c, chat.Joined(name))
	}
}

// names returns the names of the clients that are present.
func (r *room) names() []string {
	var names []string
	for _, c := range r.clients {
		if c.present() {
			names = append(names, c.name)
		}
	}
	return names
}

// tell sends a line of c to all others. A client whose queue is full leaves when all others
// have the line, so that all see the lines in the same order.
func (r *room) tell(c *client, line string) {
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

// send sends a line to c alone.
func (r *room) send(c *client, line string) {
	if !c.left && !c.put(line) {
		r.drop(c, chat.Slow)
	}
}

// drop is leave. The writer of c goes on with the lines that are queued.
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
		r.tell(c, chat.Left(c.name, why))
	}
}

// put puts a line into the queue. It reports whether there was room.
func (c *client) put(line string) bool {
	select {
	case c.lines <- line:
		return true
	default:
		return false
	}
}

// present reports whether the other clients know c.
func (c *client) present() bool { return c.name != "" && !c.left }
