// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"baton/await"
	"baton/task"
)

// A stage says what a child process measures.
type stage string

const (
	workStage  stage = "work"  // the CPU time of the process
	holdStage  stage = "hold"  // goroutines and memory, and how long the end after a cancel takes
	stallStage stage = "stall" // how long a ticker waits while the side works
)

// tick is the interval of the ticker in stallStage.
const tick = time.Millisecond

// A child runs one side of a program in its own process. It prints "ready ADDRESS", and answers
// the lines that it reads. The answer to "look" has the goroutines and the memory of the side.
// The answer to "cancel" has the time until the end and the longest stall. Then the process
// ends.
type child struct {
	side  Side
	job   Job
	stage stage

	// handoff is how the tasks pass the baton. For goroutines it is AnyHandoff.
	handoff task.Handoff

	longest time.Duration // between two ticks
}

func (c *child) run(in io.Reader, out io.Writer) error {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	before := look()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.job.Ready = func(address string) { fmt.Fprintln(out, "ready", address) }
	returned := make(chan error, 1)
	go func() { returned <- c.both(ctx) }()
	over := false
	for {
		select {
		case err := <-returned:
			if err != nil {
				return err
			}
			over = true
		case line := <-lines:
			switch line {
			case "look":
				now := look()
				fmt.Fprintln(out, now.goroutines-before.goroutines, now.memory-before.memory)
			case "cancel":
				began := time.Now()
				cancel()
				if !over {
					if err := <-returned; err != nil && !errors.Is(err, context.Canceled) {
						return err
					}
				}
				cancelled := time.Since(began)
				if err := before.waitFor(5 * time.Second); err != nil {
					return err
				}
				fmt.Fprintln(out, cancelled.Nanoseconds(), time.Since(began).Nanoseconds(), c.longest.Nanoseconds())
				return nil
			default: // also at the end of in
				return fmt.Errorf("the report says %q", line)
			}
		}
	}
}

// both runs the side, and in stallStage a ticker as well.
func (c *child) both(ctx context.Context) error {
	if c.handoff == task.AnyHandoff {
		if c.stage != stallStage {
			return c.side(ctx, c.job)
		}
		ctx, cancel := context.WithCancel(ctx)
		over := make(chan struct{})
		go func() {
			defer close(over)
			c.tick(ctx, func() error { time.Sleep(tick); return nil })
		}()
		defer func() { cancel(); <-over }()
		return c.side(ctx, c.job)
	}
	return task.Runner{Handoff: c.handoff}.Run(ctx, func(ctx context.Context) error {
		if c.stage == stallStage {
			ticker := task.Go(ctx, func(ctx context.Context) error {
				return c.tick(ctx, func() error { return await.Sleep(ctx, tick) })
			})
			defer ticker.Cancel(nil)
		}
		return c.side(ctx, c.job)
	})
}

// tick records the longest time between two sleeps, until ctx is cancelled.
func (c *child) tick(ctx context.Context, sleep func() error) error {
	for last := time.Now(); ctx.Err() == nil; {
		if err := sleep(); err != nil {
			return err
		}
		now := time.Now()
		c.longest = max(c.longest, now.Sub(last))
		last = now
	}
	return nil
}

// A size is the size of a process.
type size struct {
	goroutines int
	memory     int // bytes of the heap without garbage, and of stacks
}

func look() size {
	runtime.GC()
	runtime.GC() // a second time, for pools and finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return size{runtime.NumGoroutine(), int(m.HeapAlloc + m.StackInuse)}
}

// waitFor waits until there are no more goroutines than in s.
func (s size) waitFor(bound time.Duration) error {
	for began := time.Now(); runtime.NumGoroutine() > s.goroutines; time.Sleep(10 * time.Microsecond) {
		if time.Since(began) > bound {
			stacks := make([]byte, 1<<16)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return fmt.Errorf("%d goroutines are left after %v:\n%s",
				runtime.NumGoroutine()-s.goroutines, bound, strings.TrimSpace(string(stacks)))
		}
	}
	return nil
}
