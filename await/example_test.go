// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/await"
	"baton/task"
)

// This is the program of the package documentation, with Run instead of Main.
func Example() {
	ask := func(city string, delay time.Duration) func(ctx context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			return city, await.Sleep(ctx, delay)
		}
	}
	run := func(ctx context.Context) error {
		return await.Timeout(ctx, 10*time.Second, func(ctx context.Context) error {
			// The first answer wins. First cancels the other call.
			city, err := await.First(ctx, ask("Tokyo", time.Minute), ask("London", time.Millisecond))
			fmt.Println("answer from", city)
			return err
		})
	}
	task.Run(context.Background(), run)
	// Output: answer from London
}

func ExampleSleep() {
	task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(context.Context) error {
			fmt.Println("others run")
			return nil
		})
		began := task.Now(ctx)
		err := await.Sleep(ctx, time.Millisecond)
		fmt.Println(task.Now(ctx).Sub(began) >= time.Millisecond, err)
		return nil
	})
	// Output:
	// others run
	// true <nil>
}

func ExampleForever() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		return await.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
			defer fmt.Println("goodbye")
			return await.Forever(ctx)
		})
	})
	fmt.Println(err)
	// Output:
	// goodbye
	// await: timeout after 1ms: context deadline exceeded
}

func ExampleTicker() {
	task.Run(context.Background(), func(ctx context.Context) error {
		ticker := await.NewTicker(ctx, 10*time.Millisecond)
		for beat := range 3 {
			if _, err := ticker.Next(ctx); err != nil {
				return err
			}
			fmt.Println("beat", beat)
		}
		return nil
	})
	// Output:
	// beat 0
	// beat 1
	// beat 2
}

func ExampleTimeout() {
	task.Run(context.Background(), func(ctx context.Context) error {
		err := await.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
			return await.Sleep(ctx, time.Hour)
		})
		fmt.Println(err)
		fmt.Println(errors.Is(err, context.DeadlineExceeded))
		return nil
	})
	// Output:
	// await: timeout after 1ms: context deadline exceeded
	// true
}

func ExampleReschedule() {
	task.Run(context.Background(), func(ctx context.Context) error {
		return await.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			later := task.Now(ctx).Add(time.Hour)
			fmt.Println(await.Reschedule(ctx, later)) // there was progress
			deadline, _ := ctx.Deadline()
			fmt.Println(deadline.Equal(later))
			return nil
		})
	})
	// Output:
	// true
	// true
}

// later returns a function that returns a word after some milliseconds.
func later(ms int, word string) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return word, await.Sleep(ctx, time.Duration(ms)*time.Millisecond)
	}
}

func ExampleAll() {
	task.Run(context.Background(), func(ctx context.Context) error {
		words, err := await.All(ctx, task.Start(ctx, later(2, "slow")), task.Start(ctx, later(1, "quick")))
		fmt.Println(words, err)
		return err
	})
	// Output: [slow quick] <nil>
}

func ExampleEach() {
	task.Run(context.Background(), func(ctx context.Context) error {
		quick := task.Start(ctx, later(1, "quick"))
		slow := task.Start(ctx, func(ctx context.Context) (string, error) {
			_, err := quick.Await(ctx)
			return "slow", err
		})
		for t, err := range await.Each(ctx, slow, quick) {
			if err != nil {
				return err
			}
			fmt.Println(t.Result())
		}
		return nil
	})
	// Output:
	// quick <nil>
	// slow <nil>
}

func ExampleFirst() {
	task.Run(context.Background(), func(ctx context.Context) error {
		word, err := await.First(ctx, later(10_000, "slow"), later(1, "quick"))
		fmt.Println(word)
		return err
	})
	// Output: quick
}

// Happy eyeballs: the second attempt begins when the first one has not succeeded after
// Delay. Dispose closes connections that come too late.
func ExampleRace() {
	task.Run(context.Background(), func(ctx context.Context) error {
		race := await.Race[string]{
			Delay:   time.Millisecond,
			Dispose: func(late string) { fmt.Println("close", late) },
		}
		word, err := race.First(ctx, later(10_000, "IPv6"), later(1, "IPv4"))
		fmt.Println(word)
		return err
	})
	// Output: IPv4
}

func ExampleMapN() {
	task.Run(context.Background(), func(ctx context.Context) error {
		squares, err := await.MapN(ctx, 2, []int{1, 2, 3}, func(ctx context.Context, n int) (int, error) {
			return n * n, await.Sleep(ctx, time.Millisecond)
		})
		fmt.Println(squares)
		return err
	})
	// Output: [1 4 9]
}

func ExampleBlocking() {
	task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(context.Context) error {
			fmt.Println("others run")
			return nil
		})
		sum, err := await.Blocking(ctx, func(context.Context) (int64, error) {
			var sum int64
			for i := range int64(1_000_000) {
				sum += i
			}
			return sum, nil
		})
		fmt.Println(sum)
		return err
	})
	// Output:
	// others run
	// 499999500000
}

func ExampleReceive() {
	ticks := make(chan string)
	go func() {
		ticks <- "from a goroutine"
		close(ticks)
	}()
	task.Run(context.Background(), func(ctx context.Context) error {
		for {
			tick, ok, err := await.Receive(ctx, ticks)
			if !ok {
				return err
			}
			fmt.Println(tick)
		}
	})
	// Output: from a goroutine
}
