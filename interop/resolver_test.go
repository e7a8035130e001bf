// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"baton/netio"
	"baton/task"
)

// The resolver of package net sends its questions through a PacketConn, on its own goroutines.
// Another PacketConn answers.
func TestResolver(t *testing.T) {
	for _, handoff := range []task.Handoff{task.Channel, task.Coroutine} {
		t.Run(handoff.String(), func(t *testing.T) {
			err := task.Runner{Handoff: handoff}.Run(context.Background(), func(ctx context.Context) error {
				server, err := netio.ListenPacket(ctx, "udp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer server.Close()
				task.Go(ctx, func(ctx context.Context) error { return answer(ctx, server) })

				conns := make(chan net.Conn, 8) // the resolver closes those that it uses
				for range cap(conns) {
					c, err := netio.DialPacket(ctx, "udp", server.LocalAddr().String())
					if err != nil {
						return err
					}
					defer c.Close()
					conns <- c.NetPacketConn(ctx).(net.Conn)
				}
				resolver := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
					return <-conns, nil
				}}
				return on(ctx, func() {
					for name, want := range map[string]string{"host.example.": "192.0.2.7", "nowhere.example.": ""} {
						ips, err := resolver.LookupNetIP(context.Background(), "ip4", name)
						var dns *net.DNSError
						switch {
						case want == "":
							if !errors.As(err, &dns) || !dns.IsNotFound {
								t.Errorf("%s: %v, %v; want no such host", name, ips, err)
							}
						case err != nil || len(ips) != 1 || ips[0] != netip.MustParseAddr(want):
							t.Errorf("%s: %v, %v", name, ips, err)
						}
					}
				})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// answer is a DNS server that knows one host. It ends when the socket is closed.
func answer(ctx context.Context, c *netio.PacketConn) error {
	buf := make([]byte, 1500)
	for {
		p, err := c.Receive(ctx, buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		var m dnsmessage.Message
		if err := m.Unpack(p.Data); err != nil {
			return err
		}
		m.Response, m.Additionals = true, nil
		if q := m.Questions[0]; q.Name.String() != "host.example." {
			m.RCode = dnsmessage.RCodeNameError
		} else if q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60},
				Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}},
			}}
		}
		if p.Data, err = m.Pack(); err != nil {
			return err
		}
		if err := c.Send(ctx, p); err != nil {
			return err
		}
	}
}
