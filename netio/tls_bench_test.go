// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"

	"baton/netio"
	"baton/task"
)

// BenchmarkTLS sends a message over TLS to an echo server and reads it back: with two tasks of one
// loop, and with two goroutines and package crypto/tls. With -cpu 1 it compares the cost of both
// endpoints together.
func BenchmarkTLS(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("stream/%d", size), func(b *testing.B) {
			real(b, func(ctx context.Context) error {
				near, far := world{network: "tcp"}.encrypted(ctx, b, netio.StreamConfig{})
				task.Go(ctx, func(ctx context.Context) error { return echo(ctx, far) })
				buf := make([]byte, size)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := near.Write(ctx, buf); err != nil {
						return err
					}
					if _, err := near.ReadFull(ctx, buf); err != nil {
						return err
					}
				}
				return near.Close()
			})
		})
		b.Run(fmt.Sprintf("goroutines/%d", size), func(b *testing.B) {
			a := newAuthority(b)
			ln := must(net.Listen("tcp", "127.0.0.1:0"))(b)
			defer ln.Close()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if c, err := ln.Accept(); err == nil {
					far := tls.Server(c, a.server(b))
					io.CopyBuffer(struct{ io.Writer }{far}, struct{ io.Reader }{far}, make([]byte, 16<<10))
					far.Close()
				}
			}()
			near := must(tls.Dial("tcp", ln.Addr().String(), a.client()))(b)
			buf := make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := near.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(near, buf); err != nil {
					b.Fatal(err)
				}
			}
			near.Close()
			<-ended
		})
	}
}

// BenchmarkHandshake is a handshake of two tasks of one loop.
func BenchmarkHandshake(b *testing.B) {
	real(b, func(ctx context.Context) error {
		b.ReportAllocs()
		for b.Loop() {
			near, far := world{network: "tcp"}.encrypted(ctx, b, netio.StreamConfig{})
			near.Close()
			far.Close()
		}
		return nil
	})
}
