// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"baton/await"
	"baton/locks"
	"baton/task"
)

// This is the program of the package documentation, with Run instead of Main.
func Example() {
	run := func(ctx context.Context) error {
		var mu locks.Mutex
		for _, name := range []string{"Ann", "Bob"} {
			task.Go(ctx, func(ctx context.Context) error {
				if err := mu.Lock(ctx); err != nil { // may switch
					return err
				}
				defer mu.Unlock() // never switches
				fmt.Println("request of", name)
				err := await.Sleep(ctx, time.Millisecond) // the other task waits in Lock
				fmt.Println("answer for", name)
				return err
			})
		}
		return nil
	}
	task.Run(context.Background(), run)
	// Output:
	// request of Ann
	// answer for Ann
	// request of Bob
	// answer for Bob
}

func ExampleMutex() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var mu locks.Mutex
		fmt.Println(mu.TryLock(ctx))
		fmt.Println(mu.TryLock(ctx)) // the mutex is locked
		mu.Unlock()
		fmt.Println(mu.Locked())
		return nil
	})
	// Output:
	// true
	// false
	// false
}

func ExampleEvent() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var ready locks.Event
		for i := range 2 {
			task.Go(ctx, func(ctx context.Context) error {
				err := ready.Wait(ctx)
				fmt.Println("runner", i, "is off")
				return err
			})
		}
		await.Sleep(ctx, time.Millisecond)
		fmt.Println("go!")
		ready.Set()
		return nil
	})
	// Output:
	// go!
	// runner 0 is off
	// runner 1 is off
}

func ExampleCond() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var mu locks.Mutex
		changed := locks.NewCond(&mu)
		level := 0
		task.Go(ctx, func(ctx context.Context) error {
			if err := mu.Lock(ctx); err != nil {
				return err
			}
			defer mu.Unlock()
			err := changed.WaitFor(ctx, func() bool { return level >= 3 })
			fmt.Println("the level is", level)
			return err
		})
		for range 3 {
			if err := mu.Lock(ctx); err != nil {
				return err
			}
			level++
			changed.NotifyAll()
			mu.Unlock()
			task.Yield(ctx)
		}
		return nil
	})
	// Output: the level is 3
}

// However many tasks there are, at most two of them are inside at a time.
func ExampleSemaphore() {
	task.Run(context.Background(), func(ctx context.Context) error {
		gate := locks.NewBoundedSemaphore(2)
		inside, most := 0, 0
		_, err := await.Map(ctx, make([]int, 10), func(ctx context.Context, _ int) (int, error) {
			if err := gate.Acquire(ctx); err != nil {
				return 0, err
			}
			defer gate.Release()
			inside++
			most = max(most, inside)
			err := task.Yield(ctx)
			inside--
			return 0, err
		})
		fmt.Println("at most", most, "inside")
		return err
	})
	// Output: at most 2 inside
}

func ExampleLimiter() {
	task.Run(context.Background(), func(ctx context.Context) error {
		lanes := locks.NewLimiter(1)
		if err := lanes.AcquireFor(ctx, "the bus"); err != nil {
			return err
		}
		fmt.Println(lanes.TryAcquireFor("the car"))
		lanes.SetCapacity(2)
		fmt.Println(lanes.TryAcquireFor("the car"))
		return nil
	})
	// Output:
	// false
	// true
}

func ExampleLimiterStats() {
	limiter := locks.NewLimiter(2)
	limiter.TryAcquireFor("the bus")
	stats := limiter.Stats()
	fmt.Println(stats.Lent, "of", stats.Capacity, "tokens are lent to", stats.Borrowers)
	// Output: 1 of 2 tokens are lent to [the bus]
}

func ExampleBarrier() {
	task.Run(context.Background(), func(ctx context.Context) error {
		meet := locks.NewBarrier(3)
		_, err := await.Map(ctx, []string{"Ann", "Bob", "Cid"}, func(ctx context.Context, name string) (string, error) {
			fmt.Println(name, "is here")
			_, err := meet.Wait(ctx)
			return name, err
		})
		fmt.Println("all together")
		return err
	})
	// Output:
	// Ann is here
	// Bob is here
	// Cid is here
	// all together
}

func ExampleQueue() {
	task.Run(context.Background(), func(ctx context.Context) error {
		q := locks.NewQueue[string](2)
		task.Go(ctx, func(ctx context.Context) error {
			defer q.Shutdown(false)
			for _, s := range []string{"one", "two", "three"} {
				if err := q.Put(ctx, s); err != nil {
					return err
				}
			}
			return nil
		})
		for s, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(s)
		}
		return nil
	})
	// Output:
	// one
	// two
	// three
}

func ExampleNewPriorityQueue() {
	q := locks.NewPriorityQueue(10, cmp.Compare[int])
	for _, n := range []int{3, 1, 2} {
		q.TryPut(n)
	}
	for n, ok := q.TryGet(); ok; n, ok = q.TryGet() {
		fmt.Println(n)
	}
	// Output:
	// 1
	// 2
	// 3
}
