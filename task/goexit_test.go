// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"baton/task"
)

// A goroutine that ends by Goexit passes the baton on. It must not run the loop after Run
// has returned, because the loop may still have timers of the user. Which goroutine passes
// the baton to which depends on the schedule, so the test runs many random programs, each
// from its seed.
func TestGoexitDoesNotRunTheLoopAfterRun(t *testing.T) {
	for seed := range uint64(100) {
		eachHandoff(t, func(t *testing.T, r task.Runner) {
			random := rand.New(rand.NewPCG(seed, 0))
			r.Loop = newVirtual(t)
			began := r.Loop.Time()
			defer r.Loop.CallLater(time.Hour, func() {}).Cancel()
			r.Run(context.Background(), func(ctx context.Context) error {
				for range 1 + random.IntN(40) {
					task.Go(ctx, func(ctx context.Context) error {
						for range random.IntN(9) {
							task.Yield(ctx) // a cancel does not end the task
						}
						if random.IntN(2) == 0 {
							runtime.Goexit()
						}
						return nil
					})
					if random.IntN(3) == 0 {
						task.Yield(ctx)
					}
				}
				return nil
			})
			if late := r.Loop.Time().Sub(began); late != 0 {
				t.Errorf("seed %d: the loop ran for %v after Run", seed, late)
			}
		})
	}
}
