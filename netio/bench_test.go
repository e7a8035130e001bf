// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"testing"

	"baton/netio"
	"baton/task"
)

// BenchmarkEcho is one message to an echo task on the same loop and back.
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
