// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"baton/netio"
	"baton/task"
)

func echo(ctx context.Context, s *netio.Stream) error {
	_, err := netio.Copy(ctx, s, s)
	return err
}

// Megabytes in pieces of random sizes go through an echo server in both directions at once and
// come back unchanged.
func TestEchoReturnsAllBytes(t *testing.T) {
	size := 4 << 20
	if raceEnabled {
		size = 1 << 20
	}
	sent := make([]byte, size)
	rand.NewChaCha8([32]byte{92}).Read(sent)
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		srv := &netio.Server{}
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echo) })
		random := rand.New(rand.NewPCG(92, 1))
		for range 3 {
			s := must(netio.Dial(ctx, w.network, ln.Addr().String()))(t)
			writer := task.Start(ctx, func(ctx context.Context) (int, error) {
				total := 0
				for rest := sent; len(rest) > 0; {
					piece := min(1+random.IntN(200_000), len(rest))
					n, err := s.WriteBuffers(ctx, rest[:piece/3], nil, rest[piece/3:piece])
					total += n
					if err != nil {
						return total, err
					}
					rest = rest[piece:]
				}
				return total, s.CloseWrite()
			})
			received := must(io.ReadAll(s.NetConn(ctx)))(t)
			if n, err := writer.Await(ctx); n != len(sent) || err != nil {
				t.Errorf("wrote %d bytes, %v; want %d", n, err, len(sent))
			}
			if !bytes.Equal(received, sent) {
				t.Errorf("received %d bytes that differ from the %d sent", len(received), len(sent))
			}
			want(t, "Close", s.Close(), nil)
		}
		want(t, "Shutdown", srv.Shutdown(ctx), nil)
	})
}
