// SPDX-License-Identifier: Apache-2.0

// Udp_echo is a server that sends each datagram back to its source, and a client that sends
// one datagram and waits for the answer.
//
//	go run ./examples/udp_echo --server   # Ctrl-C ends it
//	go run ./examples/udp_echo --client   # in another terminal
//	go run ./examples/udp_echo --server --client   # both in one, which ends with the client
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"baton/netio"
	"baton/task"
)

var (
	asServer = flag.Bool("server", false, "run the UDP server")
	asClient = flag.Bool("client", false, "run the UDP client")
	host     = flag.String("host", "127.0.0.1", "host name")
	port     = flag.Int("port", 9999, "port number")
)

func main() {
	flag.Parse()
	if !*asServer && !*asClient {
		flag.Usage()
		os.Exit(2)
	}
	task.Main(run)
}

func run(ctx context.Context) error {
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	if !*asServer {
		return ask(ctx, address)
	}
	c, err := netio.ListenPacket(ctx, "udp", address)
	if err != nil {
		return err
	}
	fmt.Println("start", c)
	if !*asClient {
		return serve(ctx, c)
	}
	server := task.Go(ctx, func(ctx context.Context) error { return serve(ctx, c) })
	defer server.Cancel(nil)
	return ask(ctx, c.LocalAddr().String())
}

// serve sends back what c receives, until it is cancelled.
func serve(ctx context.Context, c *netio.PacketConn) (err error) {
	defer func() { fmt.Println("stop", err) }()
	defer c.Close()
	buf := make([]byte, 64<<10)
	for {
		p, err := c.Receive(ctx, buf)
		if err == nil {
			fmt.Printf("Data received: %s %v\n", p.Data, p.Addr)
			err = c.Send(ctx, p)
		}
		if world, ok := errors.AsType[*net.OpError](err); ok {
			fmt.Println("Error received:", world) // an error of one peer; serve goes on for the others
			continue
		}
		if err != nil {
			return err
		}
	}
}

// ask sends a message, and waits for its answer.
func ask(ctx context.Context, address string) error {
	c, err := netio.DialPacket(ctx, "udp", address)
	if err != nil {
		return err
	}
	defer func() { fmt.Println("closing transport", c.Close()) }()
	const message = "This is the message. It will be echoed."
	fmt.Printf("sending %q\n", message)
	if err := c.Send(ctx, netio.Packet{Data: []byte(message)}); err != nil {
		return err
	}
	fmt.Println("waiting to receive")
	p, err := c.Receive(ctx, make([]byte, 64<<10))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		fmt.Println("Error received:", err)
		return nil
	case err != nil:
		return err
	}
	fmt.Printf("received %q\n", p.Data)
	return nil
}
