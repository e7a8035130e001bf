// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"fmt"

	"baton/netio"
	"baton/netio/protocol"
	"baton/task"
)

// A packetEcho sends each datagram back to its sender.
type packetEcho struct{ transport *protocol.DatagramTransport }

func (p *packetEcho) ConnectionMade(t *protocol.DatagramTransport) { p.transport = t }
func (p *packetEcho) DatagramReceived(packet netio.Packet)         { p.transport.Send(packet) }
func (p *packetEcho) ErrorReceived(error)                          {}
func (p *packetEcho) ConnectionLost(error)                         {}

// An asker sends one datagram and keeps the reply.
type asker struct {
	packetEcho
	reply task.Future[string]
}

func (p *asker) ConnectionMade(t *protocol.DatagramTransport) {
	t.Send(netio.Packet{Data: []byte("hello")})
}

func (p *asker) DatagramReceived(packet netio.Packet) { p.reply.Set(string(packet.Data)) }

// A server and a client of datagrams.
func ExampleDatagramTransport() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		factory := protocol.DatagramFactory(func() protocol.DatagramProtocol { return &packetEcho{} })
		config := protocol.DatagramConfig{BufferSize: 1500}
		var server *protocol.DatagramTransport
		server, err := config.Listen(ctx, "udp", "127.0.0.1:0", factory)
		if err != nil {
			return err
		}
		defer server.Close()

		p := &asker{}
		client, err := protocol.DialPacket(ctx, "udp", server.LocalAddr().String(),
			func() protocol.DatagramProtocol { return p })
		if err != nil {
			return err
		}
		defer client.Close()
		reply, err := p.reply.Await(ctx)
		fmt.Println(reply)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}
