// SPDX-License-Identifier: Apache-2.0

// Qspeed measures how fast a queue passes items from one task to ten other tasks. The queue
// has space for one item, so the tasks switch for nearly every item.
//
//	go run ./examples/qspeed
//	BATON_HANDOFF=coroutine go run ./examples/qspeed
package main

import (
	"context"
	"fmt"

	"baton/locks"
	"baton/task"
)

const (
	consumers = 10
	items     = 100_000
	maxsize   = 1
)

func main() { task.Main(measure) }

func measure(ctx context.Context) error {
	began := task.Now(ctx)
	sum, err := pass(ctx, items)
	if err != nil {
		return err
	}
	total := task.Now(ctx).Sub(began)
	if want := int64(items) * (items - 1) / 2; sum != want {
		return fmt.Errorf("qspeed: the items add up to %d, want %d", sum, want)
	}
	fmt.Printf("%.3f total seconds; %.3f usec per item.\n",
		total.Seconds(), float64(total.Microseconds())/items)
	return nil
}

// pass sends the numbers below n through a queue, and returns the sum of the items that the
// consumers receive.
func pass(ctx context.Context, n int) (sum int64, err error) {
	queue := locks.NewQueue[int](maxsize)
	err = task.Scope(ctx, func(ctx context.Context) error {
		for range consumers {
			task.Go(ctx, func(ctx context.Context) error {
				for item, err := range queue.All(ctx) {
					if err != nil {
						return err
					}
					sum += int64(item) // no lock: one task runs at a time
				}
				return nil
			})
		}
		for item := range n {
			if err := queue.Put(ctx, item); err != nil {
				return err
			}
		}
		queue.Shutdown(false) // ends the loops of the consumers, and so the scope
		return nil
	})
	return sum, err
}
