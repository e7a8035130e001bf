// SPDX-License-Identifier: Apache-2.0

// Echoload loads an echo server for a limited time. Each connection sends a message, reads the
// answer, compares every byte, and begins again.
//
//	echoload -addr 127.0.0.1:7000 -connections 50 -size 1024 -for 2s
//	connected 50
//	messages 118260 in 2.001s p50 790µs p90 1.2ms p99 2.1ms max 9.4ms
//
// With -tls each connection makes a full handshake before it counts as connected. The client does
// not verify the certificate of the server.
//
// With -udp a message is a datagram. Each client has at most one datagram in flight, so no
// datagram is lost on the loopback interface.
//
// With -http a message is an HTTP request, and the answer has a body of the given size.
//
// With -hold it waits for a line of standard input before it sends, and for the end of standard
// input before it closes the connections. So its parent process can read the CPU time of the
// server in between.
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
	patience = 30 * time.Second // for answers, in addition to the time of the load
)

func main() {
	var (
		addr  = flag.String("addr", "127.0.0.1:7000", "the server's `address`")
		conns = flag.Int("connections", 50, "number of `connections`")
		size  = flag.Int("size", 1<<10, "`bytes` in a message")
		bound = flag.Duration("for", time.Second, "how long to send")
		crypt = flag.Bool("tls", false, "use TLS")
		udp   = flag.Bool("udp", false, "send datagrams")
		http  = flag.Bool("http", false, "send HTTP requests; the answers have a body of -size bytes")
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
	if err := load(dial, *addr, *conns, *size, *http, *bound, hold, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "echoload:", err)
		os.Exit(1)
	}
}

// A dialer connects to an address.
type dialer func(addr string) (net.Conn, error)

func dialPlain(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, patience) }

// dialUDP opens a socket for datagrams. A lost datagram is an error after patience.
func dialUDP(addr string) (net.Conn, error) { return net.Dial("udp", addr) }

// dialTLS returns after the handshake. Without a ClientSessionCache no connection resumes a
// session, so every handshake is a full one.
func dialTLS(addr string) (net.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, &tls.Config{
		InsecureSkipVerify: true, // the server creates its certificate when it starts
	})
}

// load connects, sends for the time bound, and reports to out. If hold is not nil, load waits for
// it before and after, as with -hold.
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
			return fmt.Errorf("reading standard input for -hold: %w", err)
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

// connect opens all connections, one after another, and warms them up. If it fails, it returns the
// open connections.
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
		if err := c.exchange(func() bool { rest--; return rest == 0 }); err != nil {
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

// exchange sends messages, at least one, and checks the echoes until the load is over.
func (c *client) exchange(over func() bool) error {
	for {
		start := time.Now()
		message := c.message()
		if _, err := c.conn.Write(message); err != nil {
			return err
		}
		if _, err := io.ReadFull(c.conn, c.echo); err != nil {
			return fmt.Errorf("echo of message %d: %w", c.sent, err)
		}
		if c.http && !c.isAnswer() || !c.http && !bytes.Equal(c.echo, message) {
			return fmt.Errorf("the echo of message %d of %v differs", c.sent, c.conn.LocalAddr())
		}
		c.times = append(c.times, time.Since(start))
		if over() {
			return nil
		}
	}
}

// message returns the next message: a part of the client's own random text. Consecutive messages
// differ, and so do the messages of two clients.
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
