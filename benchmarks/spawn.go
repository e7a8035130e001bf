// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"baton/task"
)

// spawnOneTask starts trivial tasks and awaits them, one after another.
func spawnOneTask(h task.Handoff) side {
	trivial := func(context.Context) (int, error) { return 1, nil }
	return func(r round) (float64, error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			return timed(r.least, func(n int) error {
				for range n {
					if _, err := task.Start(ctx, trivial).Await(ctx); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// spawnOneGoroutine is like spawnOneTask, with a go statement and a WaitGroup. It creates the
// function once, which is cheaper than WaitGroup.Go: that allocates a function in each call.
func spawnOneGoroutine(r round) (float64, error) {
	var running sync.WaitGroup
	trivial := func() { running.Done() }
	return timed(r.least, func(n int) error {
		for range n {
			running.Add(1)
			go trivial()
			running.Wait()
		}
		return nil
	})
}

// spawnManyTasks starts many trivial tasks at once, in a scope that awaits them. The garbage
// collector uses a large part of the time. The number of tasks decides how many live during a
// collection: see -many.
func spawnManyTasks(h task.Handoff) side {
	trivial := func(context.Context) error { return nil }
	return func(r round) (float64, error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			ns, err := timed(r.least, func(n int) error {
				for range n {
					err := task.Scope(ctx, func(ctx context.Context) error {
						for range atOnce {
							task.Go(ctx, trivial)
						}
						return nil
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			return ns / float64(atOnce), err
		})
	}
}

// spawnManyGoroutines is like spawnManyTasks, with go statements and a WaitGroup.
func spawnManyGoroutines(r round) (float64, error) {
	var running sync.WaitGroup
	trivial := func() { running.Done() }
	ns, err := timed(r.least, func(n int) error {
		for range n {
			running.Add(atOnce)
			for range atOnce {
				go trivial()
			}
			running.Wait()
		}
		return nil
	})
	return ns / float64(atOnce), err
}
