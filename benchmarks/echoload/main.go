// SPDX-License-Identifier: Apache-2.0

// Echoload loads an echo server: every connection sends a message, waits for all
// of it to come back, compares every byte, and begins again, for a bounded time.
//
//	echoload -addr 127.0.0.1:7000 -connections 50 -size 1024 -for 2s
//	connected 50
//	messages 118260 in 2.001s p50 790µs p90 1.2ms p99 2.1ms max 9.4ms
//
// With -tls every connection makes a full handshake before it counts as connected; the
// certificate of the server is not verified.
//
// With -udp a message is a datagram, of which there are no more on the way than clients: so
// none is lost on a loopback interface.
//
// With -http a message is a request of HTTP, and what comes back is its answer, with a body
// of the given size.
//
// With -hold it waits for a line on its standard input before it begins and for
// the end of it before it hangs up, so that whoever started it can look at the
// server's clocks in between.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	warmUp   = 16               // messages of each connection before it counts as connected
	patience = 30 * time.Second // with a server, beyond the time of the load
)

func main() {
	var (
		addr  = flag.String("addr", "127.0.0.1:7000", "the server's `address`")
		conns = flag.Int("connections", 50, "how many `connections`")
		size  = flag.Int("size", 1<<10, "`bytes` in a message")
		bound = flag.Duration("for", time.Second, "how long to send")
		crypt = flag.Bool("tls", false, "use TLS")
		udp   = flag.Bool("udp", false, "send datagrams")
		asks  = flag.Bool("http", false, "make HTTP requests, whose answers have a body of -size bytes")
		held  = flag.Bool("hold", false, "wait for standard input")
	)
	flag.Parse()
	var hold io.Reader
	if *held {
		hold = os.Stdin
	}
	dial := dialPlain
	if *crypt {
		dial = dialTLS
	}
	if *udp {
		dial = dialUDP
	}
	if err := load(dial, *addr, *conns, *size, *asks, *bound, hold, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "echoload:", err)
		os.Exit(1)
	}
}

// A dialer connects to an address.
type dialer func(addr string) (net.Conn, error)

func dialPlain(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, patience) }

// dialUDP makes a socket for messages that are datagrams. One that is lost is an error, at
// the end of all patience.
func dialUDP(addr string) (net.Conn, error) { return net.Dial("udp", addr) }

// dialTLS returns after the handshake. Without a ClientSessionCache no connection resumes
// the session of another one, so every handshake is a full one.
func dialTLS(addr string) (net.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, &tls.Config{
		InsecureSkipVerify: true, // the server makes a certificate of its own at its start
	})
}

// load connects, sends for the time of bound and reports to out. If hold is not
// nil it waits for it before and after, as -hold says.
func load(dial dialer, addr string, conns, size int, http bool, bound time.Duration, hold io.Reader, out io.Writer) error {
	clients, err := connect(dial, addr, conns, size, http, time.Now().Add(bound+patience))
	defer hangUp(clients)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "connected", conns)
	var input *bufio.Reader
	if hold != nil {
		input = bufio.NewReader(hold)
		if _, err := input.ReadString('\n'); err != nil {
			return fmt.Errorf("held for ever: %w", err)
		}
	}
	start := time.Now()
	var over atomic.Bool
	stop := time.AfterFunc(bound, func() { over.Store(true) })
	defer stop.Stop()
	var all errgroup.Group
	for _, c := range clients {
		all.Go(func() error { return c.exchange(func() bool { return over.Load() }) })
	}
	if err := all.Wait(); err != nil {
		return err
	}
	report(out, clients, time.Since(start))
	if hold != nil {
		_, err = io.Copy(io.Discard, input)
	}
	return err
}

// A client is one connection.
type client struct {
	conn  net.Conn
	text  []byte // twice the size of a message
	sent  int
	echo  []byte // as long as a message
	times []time.Duration

	http   bool
	answer []byte // of HTTP
}

// connect opens all connections, one after another, and warms them up. With an
// error it returns those that are open.
func connect(dial dialer, addr string, n, size int, http bool, deadline time.Time) ([]*client, error) {
	var clients []*client
	for i := range n {
		conn, err := dial(addr)
		if err != nil {
			return clients, err
		}
		c := &client{conn: conn, text: make([]byte, 2*size), echo: make([]byte, size)}
		clients = append(clients, c)
		if err := conn.SetDeadline(deadline); err != nil {
			return clients, err
		}
		letters := rand.New(rand.NewPCG(uint64(i), 0))
		for i := range c.text {
			c.text[i] = byte(letters.Uint32())
		}
		if http {
			if err := c.learn(size); err != nil {
				return clients, err
			}
		}
		rest := warmUp
		if err := c.exchange(func() bool { rest--; return rest < 0 }); err != nil {
			return clients, err
		}
		c.times = c.times[:0]
	}
	return clients, nil
}

func hangUp(clients []*client) {
	for _, c := range clients {
		c.conn.Close()
	}
}

// exchange sends messages and checks their echoes until it is over.
func (c *client) exchange(over func() bool) error {
	for !over() {
		start := time.Now()
		message := c.message()
		if _, err := c.conn.Write(message); err != nil {
			return err
		}
		if _, err := io.ReadFull(c.conn, c.echo); err != nil {
			return fmt.Errorf("echo of message %d: %w", c.sent, err)
		}
		if c.http && !c.isAnswer() || !c.http && !bytes.Equal(c.echo, message) {
			return fmt.Errorf("message %d of %v came back changed", c.sent, c.conn.LocalAddr())
		}
		c.times = append(c.times, time.Since(start))
	}
	return nil
}

// message is the next one: a window that slides over the client's own random
// text, so that no two in a row are equal, nor those of two clients.
func (c *client) message() []byte {
	if c.http {
		c.sent++
		return []byte(httpRequest)
	}
	from := c.sent % len(c.echo)
	c.sent++
	return c.text[from : from+len(c.echo)]
}

func report(out io.Writer, clients []*client, spent time.Duration) {
	var times []time.Duration
	for _, c := range clients {
		times = append(times, c.times...)
	}
	slices.Sort(times)
	at := func(share float64) time.Duration {
		if len(times) == 0 {
			return 0
		}
		return times[int(share*float64(len(times)-1))].Round(time.Microsecond)
	}
	fmt.Fprintf(out, "messages %d in %.3fs p50 %v p90 %v p99 %v max %v\n",
		len(times), spent.Seconds(), at(.5), at(.9), at(.99), at(1))
}
