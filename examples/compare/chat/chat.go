// SPDX-License-Identifier: Apache-2.0

// Package chat is the contract of a chat room over TCP that is written twice: package
// tasks has it with Baton, package goroutines with the standard library. The tests here
// run against both.
//
// Clients and the room send lines. The room asks for a name first. Then each line of the
// client is a message to all others, except these commands:
//
//	/who   lists the clients in the room
//	/quit  leaves
//
// Lines of the room itself begin with "* ", lines of a client with "<name> ". All clients
// see the lines of others in the same order.
//
// Each client has a queue of lines. A client that does not read while its queue is full
// is too slow, and leaves. So does one that sends no line for IdleTimeout, or a line that
// is too long. Whatever the reason to leave, the client gets the lines that are queued,
// and then one with the reason. It has Grace to read them and to close its end; then it is
// cut off.
//
// A cancel of Serve's ctx closes the room: no client can join any more, and all clients leave.
package chat

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"time"
)

// Config says how to serve. The zero value is the default.
type Config struct {
	// MaxClients bounds the connections, with those that have no name yet and those that
	// are leaving. Further connections get the line Full and are closed. Default 1000.
	MaxClients int

	// Queue bounds the lines that wait for a client. Default 64.
	Queue int

	// MaxLine bounds a line of a client, in bytes without its end. Default 512.
	MaxLine int

	// IdleTimeout is how long a client may send no line. Default 10 minutes.
	IdleTimeout time.Duration

	// Grace is how long a client that leaves has to read its last lines. Default 5 s.
	Grace time.Duration

	// Ready, if it is not nil, is called once, when the room can be joined. It must not block.
	// The function stats may be called until Serve has returned: with tasks, by tasks and
	// callbacks of the loop; with goroutines, by every goroutine.
	Ready func(addr net.Addr, stats func() Stats)
}

// Stats is what a room knows about itself.
type Stats struct {
	Clients  int // with a name, and not leaving
	Messages int // that clients have sent to the others
}

// Defaults returns c with the defaults in place of zeros.
func (c Config) Defaults() Config {
	c.MaxClients = cmp.Or(c.MaxClients, 1000)
	c.Queue = cmp.Or(c.Queue, 64)
	c.MaxLine = cmp.Or(c.MaxLine, 512)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 10*time.Minute)
	c.Grace = cmp.Or(c.Grace, 5*time.Second)
	if c.Ready == nil {
		c.Ready = func(net.Addr, func() Stats) {}
	}
	return c
}

// Lines of the room.
const (
	Ask     = "* what is your name?\n"
	Taken   = "* that name is taken\n"
	BadName = "* a name has 1 to 20 letters and digits\n"
	Unknown = "* the commands are /who and /quit\n"
	Full    = "* the room is full\n"
)

// Reasons to leave.
const (
	Quit    = "as you wish"
	Gone    = "the connection has ended"
	Idle    = "idle for too long"
	Slow    = "reads too slowly"
	TooLong = "a line was too long"
	Closing = "the room closes"
)

// Welcome greets a client that has joined.
func Welcome(name string) string { return "* welcome, " + name + "\n" }

// Joined says to the others that a client has joined.
func Joined(name string) string { return "* " + name + " has joined\n" }

// Left says to the others that a client has left.
func Left(name, why string) string { return "* " + name + " has left: " + why + "\n" }

// Bye is the last line for a client that leaves.
func Bye(why string) string { return "* goodbye: " + why + "\n" }

// Said is a message.
func Said(name, text string) string { return "<" + name + "> " + text + "\n" }

// Who answers /who. The names are in the order of joining.
func Who(names []string) string {
	return fmt.Sprintf("* %d here: %s\n", len(names), strings.Join(names, " "))
}

// IsName reports whether a client may have that name.
func IsName(s string) bool {
	const most, allowed = 20, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return 0 < len(s) && len(s) <= most && strings.Trim(s, allowed) == ""
}
