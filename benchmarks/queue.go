// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sync"

	"baton/locks"
	"baton/task"
)

// throughQueue measures a producer and a consumer that share a queue of this capacity.
func throughQueue(capacity int) func(task.Handoff) side {
	return func(h task.Handoff) side {
		return func(r round) (float64, error) {
			return inTask(h, func(ctx context.Context) (float64, error) {
				items := locks.NewQueue[int](capacity)
				task.Go(ctx, func(ctx context.Context) error {
					for {
						if _, err := items.Get(ctx); err != nil {
							return without(err, locks.ErrShutdown)
						}
					}
				})
				defer items.Shutdown(false)
				return timed(r.least, func(n int) error {
					for i := range n {
						if err := items.Put(ctx, i); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
	}
}

// without returns nil instead of an expected error.
func without(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// throughChannel is like throughQueue, with a Go channel.
func throughChannel(capacity int) side {
	return func(r round) (float64, error) {
		items := make(chan int, capacity)
		var consumer sync.WaitGroup
		consumer.Go(func() {
			for range items {
			}
		})
		ns, err := timed(r.least, func(n int) error {
			for i := range n {
				items <- i
			}
			return nil
		})
		close(items)
		consumer.Wait()
		return ns, err
	}
}
