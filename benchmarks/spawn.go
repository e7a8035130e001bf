// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"baton/task"
)

// spawnOneTask: start a trivial task and await it, one after another.
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

// spawnOneGoroutine: the same with a go statement and a WaitGroup. The function
// is made once: that is cheaper than WaitGroup.Go, which allocates one each time.
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

// spawnManyTasks: many trivial tasks at once, in a scope that awaits them. A good
// part of the time is the collector's, and whether it is at work while most tasks
// live or while few do depends on how many there are: see -many.
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

// spawnManyGoroutines: the same with go statements and a WaitGroup.
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
