// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A simulated handshake is the same byte by byte with the same seeds of the schedule and of the
// random numbers.
func TestTLSReplay(t *testing.T) {
	traces := map[uint64][]string{}
	for _, seed := range []uint64{1, 1, 2} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			sim.Config{Seed: seed}.Test(t, func(ctx context.Context, t *testing.T) {
				traces[seed] = append(traces[seed], traceOfTLS(ctx, t))
			})
		})
	}
	if traces[1][0] != traces[1][1] {
		t.Errorf("two traces with the same seed:\n%s\n%s", traces[1][0], traces[1][1])
	}
	if traces[1][0] == traces[2][0] {
		t.Error("another seed gives the same trace")
	}
}

// traceOfTLS returns what two endpoints send through a relay, and when.
func traceOfTLS(ctx context.Context, t *testing.T) string {
	w, a := world{"virtual", "tcp"}, newAuthority(t)
	front, back := w.pair(ctx, t, netio.StreamConfig{})
	near, far := w.pair(ctx, t, netio.StreamConfig{})
	var trace strings.Builder
	want(t, "Scope", task.Scope(ctx, func(ctx context.Context) error {
		for _, relay := range [][2]*netio.Stream{{back, near}, {near, back}} {
			task.Go(ctx, func(ctx context.Context) error {
				buf := make([]byte, 20_000)
				for {
					n, err := relay[0].Read(ctx, buf)
					if err != nil {
						return relay[1].CloseWrite()
					}
					fmt.Fprintf(&trace, "%v %v %x\n", task.Now(ctx).Format(time.StampNano), relay[0], buf[:n])
					if err := sleep(ctx, time.Millisecond); err != nil {
						return err
					}
					relay[1].Write(ctx, buf[:n]) // fails once the other end is closed
				}
			})
		}
		nearErr, farErr := shake(ctx, front, far, a.client(), a.server(t))
		want(t, "handshake", errors.Join(nearErr, farErr), nil)
		write(ctx, t, front, "hello")
		must(far.ReadFull(ctx, make([]byte, 5)))(t)
		return errors.Join(front.Close(), far.Close())
	}), nil)
	return trace.String()
}
