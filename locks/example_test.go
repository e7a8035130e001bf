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

// A request and its answer belong together, so one task at a time has the
// connection.
func ExampleMutex() {
	var mu locks.Mutex
	ask := func(ctx context.Context, who string) error {
		if err := mu.Lock(ctx); err != nil {
			return err
		}
		defer mu.Unlock()
		fmt.Println(who, "asks")
		defer fmt.Println(who, "has the answer")
		return task.Yield(ctx) // others run, and wait
	}
	task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return ask(ctx, "Ann") })
		task.Go(ctx, func(ctx context.Context) error { return ask(ctx, "Bob") })
		return nil
	})
	// Output:
	// Ann asks
	// Ann has the answer
	// Bob asks
	// Bob has the answer
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

// At most two at a time, whatever the number of tasks.
func ExampleSemaphore() {
	task.Run(context.Background(), func(ctx context.Context) error {
		doors := locks.NewBoundedSemaphore(2)
		inside, most := 0, 0
		_, err := await.Map(ctx, make([]int, 10), func(ctx context.Context, _ int) (int, error) {
			if err := doors.Acquire(ctx); err != nil {
				return 0, err
			}
			defer doors.Release()
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
		fmt.Println(lanes.Stats().Lent, "of", lanes.Stats().Capacity)
		return nil
	})
	// Output:
	// false
	// true
	// 2 of 2
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
