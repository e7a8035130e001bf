// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"baton/netio"
	"baton/task"
)

// A UDP server sends every datagram back to its sender. The client does not wait forever,
// because the network may lose a datagram.
func ExamplePacketConn() {
	echo := func(ctx context.Context, server *netio.PacketConn) error {
		buf := make([]byte, 1500)
		for {
			p, err := server.Receive(ctx, buf)
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := server.Send(ctx, p); err != nil { // p has the sender's address
				return err
			}
		}
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		server, err := netio.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()
		task.Go(ctx, func(ctx context.Context) error { return echo(ctx, server) })

		config := netio.PacketConfig{ReadTimeout: 10 * time.Second}
		client, err := config.Dial(ctx, "udp", server.LocalAddr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.Send(ctx, netio.Packet{Data: []byte("hello")}); err != nil {
			return err
		}
		answer, err := client.Receive(ctx, make([]byte, 1500))
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", answer.Data)
		return nil
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

// Detach takes the socket out of a PacketConn, for code that uses its handle directly. That
// code must close the socket.
func ExamplePacketConn_Detach() {
	use := func(d *netio.DetachedPacketConn) error {
		fmt.Println("took a socket of the network", d.Network())
		return d.Close()
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		c, err := netio.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		d, err := c.Detach()
		if err != nil {
			return err
		}
		fmt.Println("c is closed:", errors.Is(c.Close(), net.ErrClosed))
		return use(d)
	})
	fmt.Println(err)
	// Output:
	// c is closed: true
	// took a socket of the network udp
	// <nil>
}
