// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"baton/locks"
	"baton/task"
)

// lockOurs locks and unlocks an uncontended mutex with the task's own context.
func lockOurs(h task.Handoff) side {
	return func(r round) (float64, error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			own := task.Start(ctx, func(ctx context.Context) (float64, error) {
				var mu locks.Mutex
				return timed(r.least, func(n int) error {
					for range n {
						if err := mu.Lock(ctx); err != nil {
							return err
						}
						mu.Unlock()
					}
					return nil
				})
			})
			return own.Await(ctx)
		})
	}
}

// lockSync is like lockOurs, with a sync.Mutex.
func lockSync(r round) (float64, error) {
	var mu sync.Mutex
	return timed(r.least, func(n int) error {
		for range n {
			mu.Lock()
			mu.Unlock() //lint:ignore SA2001 the benchmark measures an empty critical section
		}
		return nil
	})
}
