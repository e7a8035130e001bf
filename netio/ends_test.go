// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// ends are ways to end a server of two listeners. The first only stops accepting on one of them.
var ends = []func(ctx context.Context, sites []*site, i int){
	func(_ context.Context, sites []*site, i int) { sites[i].ln.Close() },
	func(_ context.Context, sites []*site, i int) { sites[i].serving.Cancel(nil) },
	func(_ context.Context, sites []*site, _ int) { sites[0].srv.Close() },
	func(ctx context.Context, sites []*site, _ int) { sites[0].srv.Shutdown(ctx) },
	func(ctx context.Context, sites []*site, _ int) {
		timed, release := await.WithTimeout(ctx, 3*time.Millisecond)
		defer release()
		sites[0].srv.Shutdown(timed)
	},
}

// However a server is ended, and whatever its connections do at that moment, it ends within its
// grace after the first request to end. It reports no errors.
func TestServerEndsInTime(t *testing.T) {
	const end = 100 * time.Millisecond // the last request to end comes before
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		moment := func() time.Duration { return time.Duration(random.IntN(20)) * time.Millisecond }
		grace := []time.Duration{-1, 5 * time.Millisecond, time.Hour}[random.IntN(3)]
		passed := t.Run(fmt.Sprint(seed), func(t *testing.T) {
			sim.Config{Seed: seed + 1}.Test(t, func(ctx context.Context, t *testing.T) {
				srv := &netio.Server{Grace: grace, MaxConns: random.IntN(3)}
				working := 0
				sites := several(ctx, t, 2, srv, func(ctx context.Context, s *netio.Stream) error {
					working++
					defer func() { working-- }()
					if random.IntN(2) == 0 {
						_, err := netio.Copy(ctx, s, s)
						return err
					}
					until, release := netio.UntilShutdown(ctx)
					defer release()
					for buf := make([]byte, 1); ; {
						if _, err := s.Read(until, buf); err != nil {
							return err
						}
					}
				})
				for range 8 {
					i, begin, stay := random.IntN(2), moment(), moment()
					task.Go(ctx, func(ctx context.Context) error {
						want(t, "sleep", sleep(ctx, begin), nil)
						c, err := netio.Dial(ctx, "tcp", sites[i].ln.Addr().String())
						if err != nil {
							return nil // the server has ended
						}
						defer c.Close()
						_, _ = c.Write(ctx, []byte("x"))
						return sleep(ctx, stay)
					})
				}
				start := task.Now(ctx)
				for range random.IntN(3) {
					how, i, at := ends[random.IntN(len(ends))], random.IntN(2), moment()
					task.Go(ctx, func(ctx context.Context) error {
						want(t, "sleep", sleep(ctx, at), nil)
						how(ctx, sites, i)
						return nil
					})
				}
				want(t, "sleep", task.ParkUntil(ctx, start.Add(end)), nil)
				_ = srv.Shutdown(ctx) // its errors are tested in serve_test.go and shutdown_test.go
				for _, s := range sites {
					_ = s.end(ctx)
					if len(s.errs) > 0 {
						t.Errorf("the server reported %v, want no errors", s.errs)
					}
				}
				if took := task.Now(ctx).Sub(start); took != end || working > 0 {
					t.Errorf("the server ended after %v with %d handlers running", took, working)
				}
			})
		})
		if !passed {
			return // one failed seed is enough
		}
	}
}
