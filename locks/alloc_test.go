// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"testing"

	"baton/locks"
	"baton/task"
)

// Calls that need not wait do not allocate. Calls that wait do not allocate after the first
// few waits.
func TestCallsDoNotAllocate(t *testing.T) {
	var mu locks.Mutex
	var event locks.Event
	event.Set()
	sem := locks.NewSemaphore(1)
	limiter := locks.NewLimiter(1)
	fifo := locks.NewQueue[int](4)
	lifo := locks.NewLIFOQueue[int](4)
	least := locks.NewPriorityQueue(4, func(a, b int) int { return a - b })
	pair := locks.NewBarrier(2)
	pass := func(ctx context.Context) (err error) { // until an error
		for err == nil {
			_, err = pair.Wait(ctx)
		}
		return err
	}
	there, back := locks.NewQueue[int](0), locks.NewQueue[int](0)
	throughQueue := func(q *locks.Queue[int]) func(ctx context.Context) {
		return func(ctx context.Context) {
			for i := range 4 {
				q.Put(ctx, i)
			}
			for range 4 {
				q.Get(ctx)
			}
		}
	}
	cases := []struct {
		name string
		call func(ctx context.Context)
	}{
		{"Mutex", func(ctx context.Context) { mu.Lock(ctx); mu.Unlock() }},
		{"Event", func(ctx context.Context) { event.Wait(ctx) }},
		{"Semaphore", func(ctx context.Context) { sem.Acquire(ctx); sem.Release() }},
		{"Limiter", func(ctx context.Context) { limiter.Acquire(ctx); limiter.Release(ctx) }},
		{"Queue", throughQueue(fifo)},
		{"LIFOQueue", throughQueue(lifo)},
		{"PriorityQueue", throughQueue(least)},
		{"Barrier that waits", func(ctx context.Context) { pair.Wait(ctx) }},
		{"Queue that waits", func(ctx context.Context) { there.Put(ctx, 1); back.Get(ctx) }},
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return forward(ctx, there, back) })
		task.Go(ctx, ends(locks.ErrBroken, pass))
		for _, c := range cases {
			if n := testing.AllocsPerRun(100, func() { c.call(ctx) }); n != 0 {
				t.Errorf("%s: %v allocations, want 0", c.name, n)
			}
		}
		there.Shutdown(false)
		pair.Abort()
		return nil
	})
	check(t, "Run", err)
}

// forward puts the items of one queue into another, until the first queue is shut down.
func forward(ctx context.Context, from, to *locks.Queue[int]) error {
	for i, err := range from.All(ctx) {
		if err == nil {
			err = to.Put(ctx, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
