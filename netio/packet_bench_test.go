// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"baton/netio"
	"baton/task"
)

// BenchmarkPacketEcho sends one datagram of 64 bytes there and back between two tasks, and between
// two goroutines with package net.
func BenchmarkPacketEcho(b *testing.B) {
	b.Run("tasks", func(b *testing.B) {
		real(b, func(ctx context.Context) error {
			server := must(netio.ListenPacket(ctx, "udp", "127.0.0.1:0"))(b)
			client := must(netio.DialPacket(ctx, "udp", server.LocalAddr().String()))(b)
			defer client.Close()
			defer server.Close()
			task.Go(ctx, func(ctx context.Context) error {
				buf := make([]byte, 1500)
				for {
					p, err := server.Receive(ctx, buf)
					if errors.Is(err, net.ErrClosed) {
						return nil
					}
					if err == nil {
						err = server.Send(ctx, p)
					}
					if err != nil {
						return err
					}
				}
			})
			buf, message := make([]byte, 1500), netio.Packet{Data: make([]byte, 64)}
			b.ReportAllocs()
			for b.Loop() {
				want(b, "Send", client.Send(ctx, message), nil)
				_, err := client.Receive(ctx, buf)
				want(b, "Receive", err, nil)
			}
			return nil
		})
	})
	b.Run("goroutines", func(b *testing.B) {
		server := must(net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))(b)
		client := must(net.DialUDP("udp", nil, server.LocalAddr().(*net.UDPAddr)))(b)
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 1500)
			for {
				n, from, err := server.ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				server.WriteToUDPAddrPort(buf[:n], from)
			}
		}()
		buf, message := make([]byte, 1500), make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.Write(message)
			want(b, "Write", err, nil)
			_, err = client.Read(buf)
			want(b, "Read", err, nil)
		}
		client.Close()
		server.Close()
		<-done
	})
}
