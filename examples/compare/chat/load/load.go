// SPDX-License-Identifier: Apache-2.0

// Package load sends messages through a chat room, over ordinary connections.
package load

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says how many messages to send. The zero value is the default.
type Config struct {
	Clients  int // default 10
	Messages int // for each client; default 100
	Size     int // least bytes of a message; default 64
}

// Result is the result of Run.
type Result struct {
	Deliveries int             // messages times the clients that received them
	Elapsed    time.Duration   // without joining and leaving
	Latencies  []time.Duration // of each delivery, from before the send to the read; sorted
}

// Run makes clients join the room at address, send messages in rounds, and leave. In a round
// each client sends one message and reads the messages of all others. So a client is one round
// ahead of the others at most, and a queue has two lines for each client at most.
func Run(ctx context.Context, address string, cfg Config) (Result, error) {
	cfg.Clients = cmp.Or(cfg.Clients, 10)
	cfg.Messages = cmp.Or(cfg.Messages, 100)
	cfg.Size = cmp.Or(cfg.Size, 64)
	clients, err := joinAll(ctx, address, cfg.Clients)
	if err != nil {
		return Result{}, err
	}
	defer leaveAll(clients)
	defer context.AfterFunc(ctx, func() { cutAll(clients) })()
	began := time.Now()
	var running errgroup.Group
	for _, c := range clients {
		running.Go(func() error { return c.talk(cfg) })
	}
	if err := running.Wait(); err != nil {
		return Result{}, err
	}
	result := Result{Elapsed: time.Since(began)}
	for _, c := range clients {
		result.Latencies = append(result.Latencies, c.latencies...)
	}
	result.Deliveries = len(result.Latencies)
	slices.Sort(result.Latencies)
	return result, nil
}

// Hold makes n clients join the room. They stay, and send nothing, until the caller calls
// release.
func Hold(ctx context.Context, address string, n int) (release func(), err error) {
	clients, err := joinAll(ctx, address, n)
	return func() { leaveAll(clients) }, err
}

// joinAll makes n clients join the room, one after the other.
func joinAll(ctx context.Context, address string, n int) ([]*client, error) {
	var clients []*client
	for i := range n {
		c, err := join(ctx, address, "client"+strconv.Itoa(i))
		if err != nil {
			leaveAll(clients)
			return nil, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// leaveAll makes the clients leave. When it returns, the room knows that they have left.
func leaveAll(clients []*client) {
	for _, c := range clients {
		fmt.Fprintln(c.conn, "/quit")
		io.Copy(io.Discard, c.in) // to the end of the connection
	}
	cutAll(clients)
}

func cutAll(clients []*client) {
	for _, c := range clients {
		c.conn.Close()
	}
}

// A client is the client's end of a connection.
type client struct {
	conn      net.Conn
	in        *bufio.Reader
	latencies []time.Duration
}

// join connects, and returns when the client has joined the room.
func join(ctx context.Context, address, name string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if err := c.enter(name); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) enter(name string) error {
	if _, err := c.in.ReadString('\n'); err != nil { // the room asks for a name
		return err
	}
	if _, err := fmt.Fprintln(c.conn, name); err != nil {
		return err
	}
	answer, err := c.in.ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "* welcome") {
		err = fmt.Errorf("the room answers %q", answer)
	}
	return err
}

// talk sends and reads the messages of all rounds. A message begins with the time.
func (c *client) talk(cfg Config) error {
	for range cfg.Messages {
		line := fmt.Appendf(nil, "%d ", time.Now().UnixNano())
		for len(line) < cfg.Size-1 {
			line = append(line, '.')
		}
		if _, err := c.conn.Write(append(line, '\n')); err != nil {
			return err
		}
		for got := 0; got < cfg.Clients-1; {
			line, err := c.in.ReadString('\n')
			if err != nil {
				return err
			}
			if strings.HasPrefix(line, "* goodbye") {
				return fmt.Errorf("the room says %q", line)
			}
			if strings.HasPrefix(line, "* ") {
				continue // a line about a client that has joined or left
			}
			now := time.Now().UnixNano()
			then, err := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			if err != nil {
				return err
			}
			c.latencies = append(c.latencies, time.Duration(now-then))
			got++
		}
	}
	return nil
}
