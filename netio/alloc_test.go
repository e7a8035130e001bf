// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"testing"
	"time"

	"baton/netio"
	"baton/task"
)

// Copying does not allocate per message, even for large messages.
func TestCopyDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates
	}
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "portable" {
			return // package net allocates
		}
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		task.Go(ctx, func(ctx context.Context) error {
			defer far.Close()
			_, err := netio.Copy(ctx, far, far)
			return err
		})
		message := make([]byte, 64<<10)
		exchange := func() {
			_, err := near.Write(ctx, message)
			want(t, "Write", err, nil)
			_, err = near.ReadFull(ctx, message)
			want(t, "ReadFull", err, nil)
		}
		for range 10 {
			exchange() // allocates the buffers
		}
		if n := testing.AllocsPerRun(200, exchange); n != 0 {
			t.Errorf("%v allocations for each message", n)
		}
	})
}

// Reading and writing do not allocate, whether they wait or not, with timeouts or without.
// ReadLine allocates only its string.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates
	}
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "portable" {
			return // package net allocates
		}
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		task.Go(ctx, func(ctx context.Context) error {
			defer far.Close()
			return echo(ctx, far)
		})
		message := []byte("a message of some bytes\n")
		buf := make([]byte, len(message))
		check := func(what string, limit float64, fn func() error) {
			t.Helper()
			if n := testing.AllocsPerRun(200, func() { want(t, what, fn(), nil) }); n > limit {
				t.Errorf("%s: %v allocations, want %v", what, n, limit)
			}
		}
		exchange := func() error {
			if _, err := near.Write(ctx, message); err != nil {
				return err
			}
			_, err := near.ReadFull(ctx, buf)
			return err
		}
		check("Write and Read", 0, exchange)
		until, release := netio.UntilShutdown(ctx)
		defer release()
		check("Read under UntilShutdown", 0, func() error {
			if _, err := near.Write(ctx, message); err != nil {
				return err
			}
			_, err := near.ReadFull(until, buf)
			return err
		})
		near.SetReadTimeout(time.Minute)
		near.SetWriteTimeout(time.Minute)
		near.SetIdleTimeout(time.Minute)
		check("Write and Read with timeouts", 0, exchange)
		check("WriteBuffers and ReadLine", 1, func() error {
			if _, err := near.WriteBuffers(ctx, message[:5], message[5:]); err != nil {
				return err
			}
			_, err := near.ReadLine(ctx)
			return err
		})
	})
}
