// SPDX-License-Identifier: Apache-2.0

// Fuzz_as_completed checks that await.Each returns tasks in the order in which they end. It
// checks all 120 orders of five delays, then 20 times 100 random delays, and then 20 times
// 200 random delays with a slow consumer. It prints a dot for each check, or FAIL. If a check
// has failed, the exit status is 1.
//
// The delays add up to more than a minute, but take no time: the program runs on a virtual
// clock, which advances when all tasks wait.
//
//	go run ./examples/fuzz_as_completed
//	go run ./examples/fuzz_as_completed -seed 7  # the random delays of this seed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

func main() {
	seed := flag.Uint64("seed", rand.Uint64(), "seed of the random delays")
	flag.Parse()

	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	f := fuzz{rand: rand.New(rand.NewPCG(*seed, 0))}
	if err := runner.Run(context.Background(), f.run); err != nil {
		fmt.Fprintf(os.Stderr, "fuzz_as_completed: %v; -seed %d replays it\n", err, *seed)
		os.Exit(1)
	}
}

// unit is the step between delays. Many tasks have the same delay.
const unit = 100 * time.Millisecond

type fuzz struct {
	rand  *rand.Rand
	fails int
}

func (f *fuzz) run(ctx context.Context) error {
	fmt.Println("Pass 1")
	delays := []time.Duration{0, unit, 2 * unit, 3 * unit, 4 * unit}
	err := permute(delays, 0, func(delays []time.Duration) error {
		return f.check(ctx, delays, 0)
	})
	if err != nil {
		return err
	}
	fmt.Println("\nPass 2")
	for range 20 {
		if err := f.check(ctx, f.delays(100), 0); err != nil {
			return err
		}
	}
	fmt.Println("\nPass 3")
	for range 20 {
		if err := f.check(ctx, f.delays(200), unit); err != nil {
			return err
		}
	}
	fmt.Println()
	if f.fails > 0 {
		return errors.New("wrong order")
	}
	return nil
}

// permute calls do with every order of delays[from:].
func permute(delays []time.Duration, from int, do func([]time.Duration) error) error {
	if from == len(delays) {
		return do(delays)
	}
	for i := from; i < len(delays); i++ {
		delays[from], delays[i] = delays[i], delays[from]
		if err := permute(delays, from+1, do); err != nil {
			return err
		}
		delays[from], delays[i] = delays[i], delays[from]
	}
	return nil
}

// delays returns n random delays below three seconds.
func (f *fuzz) delays(n int) []time.Duration {
	delays := make([]time.Duration, n)
	for i := range delays {
		delays[i] = time.Duration(f.rand.IntN(30)) * unit
	}
	return delays
}

// check starts a task for each delay, and checks that the tasks end in the order of their
// delays. The consumer pauses for up to slack after each task.
func (f *fuzz) check(ctx context.Context, delays []time.Duration, slack time.Duration) error {
	return task.Scope(ctx, func(ctx context.Context) error {
		var tasks []*task.Task[time.Duration]
		for _, d := range delays {
			tasks = append(tasks, task.Start(ctx, func(ctx context.Context) (time.Duration, error) {
				return d, await.Sleep(ctx, d)
			}))
		}
		var got []time.Duration
		for t, err := range await.Each(ctx, tasks...) {
			if err != nil {
				return err
			}
			d, err := t.Result()
			if err != nil {
				return err
			}
			got = append(got, d)
			if slack > 0 {
				if err := await.Sleep(ctx, time.Duration(f.rand.Int64N(int64(slack)))); err != nil {
					return err
				}
			}
		}
		if len(got) != len(delays) || !slices.IsSorted(got) {
			f.fails++
			fmt.Println("FAIL", got)
			return nil
		}
		fmt.Print(".")
		return nil
	})
}
