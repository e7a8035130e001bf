// SPDX-License-Identifier: Apache-2.0

// Qspeed measures how fast a queue passes items from one task to ten others.
// The queue has room for one item, so nearly every item costs two switches.
//
//	go run ./examples/qspeed
//	BATON_HANDOFF=coroutine go run ./examples/qspeed
package main

import (
	"context"
	"fmt"
	"time"

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
	queue := locks.NewQueue[int](maxsize)
	began := time.Now()
	sum := 0
	err := task.Scope(ctx, func(ctx context.Context) error {
		for range consumers {
			task.Go(ctx, func(ctx context.Context) error {
				for item, err := range queue.All(ctx) {
					if err != nil {
						return err
					}
					sum += item // no lock: one task runs at a time
				}
				return nil
			})
		}
		for item := range items {
			if err := queue.Put(ctx, item); err != nil {
				return err
			}
		}
		queue.Shutdown(false) // ends the consumers' ranges, and so the scope
		return nil
	})
	if err != nil {
		return err
	}
	total := time.Since(began)
	if want := items * (items - 1) / 2; sum != want {
		return fmt.Errorf("qspeed: the items add up to %d, want %d", sum, want)
	}
	fmt.Printf("%.3f total seconds; %.3f usec per item.\n",
		total.Seconds(), float64(total.Microseconds())/items)
	return nil
}
