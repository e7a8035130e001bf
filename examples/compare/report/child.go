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

// A stage says what a child process is measured by.
type stage string

const (
	workStage  stage = "work"  // the CPU time of the process
	holdStage  stage = "hold"  // its goroutines and memory, and how soon a cancel ends it
	stallStage stage = "stall" // how long a ticker beside the work waits
)

// tick is the interval of the ticker in stallStage.
const tick = time.Millisecond

// A child is what a process of its own does: it runs one side of a program. It prints
// "ready ADDRESS", and answers the lines that it reads: "look" with the goroutines and
// the memory of the side, "cancel" with how long the end took and with the longest stall.
// Then it ends.
type child struct {
	side  Side
	job   Job
	stage stage

	// handoff is that of the tasks, or AnyHandoff for goroutines.
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
			default: // the end of in, too
				return fmt.Errorf("the report says %q", line)
			}
		}
	}
}

// both runs the side, and in stallStage a ticker beside it.
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

// tick keeps the longest time between two sleeps, until ctx is cancelled.
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

// A size is how large a process is.
type size struct {
	goroutines int
	memory     int // bytes of the heap, without garbage, and of stacks
}

func look() size {
	runtime.GC()
	runtime.GC() // what pools and finalizers have kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return size{runtime.NumGoroutine(), int(m.HeapAlloc + m.StackInuse)}
}

// waitFor waits until no more goroutines are left than there were.
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
