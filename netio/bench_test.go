// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"baton/netio"
	"baton/task"
)

// BenchmarkEcho sends a message to an echo task on the same loop and reads it back.
func BenchmarkEcho(b *testing.B) {
	real(b, func(ctx context.Context) error {
		near, far := world{network: "tcp"}.pair(ctx, b, netio.StreamConfig{})
		task.Go(ctx, func(ctx context.Context) error { return echo(ctx, far) })
		buf := make([]byte, 100)
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
}

// BenchmarkNetConn sends a message through a net.Conn to an echo task and reads it back. The
// caller is the task that made the net.Conn, another task of the loop, or a goroutine outside.
func BenchmarkNetConn(b *testing.B) {
	for name, call := range map[string]func(ctx context.Context, fn func() error) error{
		"own": func(_ context.Context, fn func() error) error { return fn() },
		"task": func(ctx context.Context, fn func() error) error {
			_, err := task.Start(ctx, func(context.Context) (int, error) { return 0, fn() }).Await(ctx)
			return err
		},
		"outside": outside,
	} {
		b.Run(name, func(b *testing.B) {
			real(b, func(ctx context.Context) error {
				near, far := world{network: "tcp"}.pair(ctx, b, netio.StreamConfig{})
				task.Go(ctx, func(ctx context.Context) error { return echo(ctx, far) })
				conn := near.NetConn(ctx)
				buf := make([]byte, 100)
				b.ReportAllocs()
				err := call(ctx, func() error {
					for b.Loop() {
						if _, err := conn.Write(buf); err != nil {
							return err
						}
						if _, err := io.ReadFull(conn, buf); err != nil {
							return err
						}
					}
					return nil
				})
				return errors.Join(err, near.Close())
			})
		})
	}
}
