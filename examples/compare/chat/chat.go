// SPDX-License-Identifier: Apache-2.0

// Package chat is the contract of a chat room over TCP. The room is written twice: package
// tasks uses Baton, package goroutines uses the standard library. The tests in this package run
// against both.
//
// Clients and the room send lines. The room asks for a name first. Each later line of the
// client is a message to all other clients, except these commands:
//
//	/who   lists the clients in the room
//	/quit  leaves
//
// Lines of the room begin with "* ", lines of a client with "<name> ". All clients receive the
// lines of other clients in the same order.
//
// Each client has a queue of lines. A client that does not read while its queue is full is too
// slow, and leaves. A client also leaves if it sends no line for IdleTimeout, or a line that is
// too long. A client that leaves receives the lines in its queue, and then a line with the
// reason. It has Grace to read them and to close its end. Then the room resets the connection.
//
// A cancel of Serve's ctx closes the room: no client can join after that, and all clients leave.
package chat

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"time"
)

// Config configures Serve. The zero value is the default.
type Config struct {
	// MaxClients bounds the connections, including clients without a name and clients that are
	// leaving. Further connections receive the line Full and are closed. Default 1000.
	MaxClients int

	// Queue bounds the lines that wait for a client. Default 64.
	Queue int

	// MaxLine bounds a line of a client, in bytes without the line end. Default 512.
	MaxLine int

	// IdleTimeout is how long a client may send no line. Default 10 minutes.
	IdleTimeout time.Duration

	// Grace is how long a client that leaves may take to read its last lines. Default 5 s.
	Grace time.Duration

	// Ready, if it is not nil, is called once, when clients can join. It must not block. The
	// function stats may be called until Serve has returned. With tasks, only tasks and
	// callbacks of the loop may call it; with goroutines, every goroutine may.
	Ready func(addr net.Addr, stats func() Stats)
}

// Stats are the statistics of a room.
type Stats struct {
	Clients  int // clients with a name that are not leaving
	Messages int // messages that clients have sent to the others
}

// Defaults returns c with the default for each field that is zero.
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

// The lines of the room.
const (
	Ask     = "* what is your name?\n"
	Taken   = "* that name is taken\n"
	BadName = "* a name has 1 to 20 letters and digits\n"
	Unknown = "* the commands are /who and /quit\n"
	Full    = "* the room is full\n"
)

// The reasons to leave.
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

// Joined is the line to the others when a client has joined.
func Joined(name string) string { return "* " + name + " has joined\n" }

// Left is the line to the others when a client has left.
func Left(name, why string) string { return "* " + name + " has left: " + why + "\n" }

// Bye is the last line for a client that leaves.
func Bye(why string) string { return "* goodbye: " + why + "\n" }

// Said is a message.
func Said(name, text string) string { return "<" + name + "> " + text + "\n" }

// Who is the answer to /who. The names are in the order of joining.
func Who(names []string) string {
	return fmt.Sprintf("* %d here: %s\n", len(names), strings.Join(names, " "))
}

// IsName reports whether a client may have the name s.
func IsName(s string) bool {
	const most, allowed = 20, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return 0 < len(s) && len(s) <= most && strings.Trim(s, allowed) == ""
}
