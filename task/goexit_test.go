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

// Goroutines that are in Goexit are ended with the tree of tasks, and pass it on
// among each other. That must not go on running the loop, which may have timers of
// its user's left. Which goroutine meets which is a matter of who parked where, so
// there are many programs, each from its number.
func TestGoexitAtTheEnd(t *testing.T) {
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
				t.Errorf("program %d: %v have passed, the loop went on after Run", seed, late)
			}
		})
	}
}
