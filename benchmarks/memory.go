// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"sync"

	"baton/loop"
	"baton/task"
)

// parkers are the values of -parked. Each function parks tasks or goroutines, calls measure before
// and while they are parked, and returns what it has parked.
var parkers = map[string]func(measure func() error) error{
	"channel":    func(measure func() error) error { return parkTasks(task.Channel, measure) },
	"coroutine":  func(measure func() error) error { return parkTasks(task.Coroutine, measure) },
	"goroutines": parkGoroutines,
}

// memoryTasks measures the resident bytes of a parked task.
func memoryTasks(h task.Handoff) side { return measureParked(h.String()) }

// memoryGoroutines measures the resident bytes of a goroutine that waits for a channel.
func memoryGoroutines(r round) (float64, error) { return measureParked("goroutines")(r) }

// measureParked returns a side that measures in a separate process, because a heap that has grown
// before would hide the memory of a task. The process collects garbage only before it reads its
// size: earlier collections would take time and change nothing.
func measureParked(who string) side {
	return func(r round) (float64, error) {
		self, err := os.Executable()
		if err != nil {
			return 0, err
		}
		child := exec.Command(self, "-parked", who)
		child.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(r.procs), "GOGC=off")
		child.Stderr = os.Stderr
		out, err := child.Output()
		if err != nil {
			return 0, fmt.Errorf("process with -parked %s: %w", who, err)
		}
		return strconv.ParseFloat(string(bytes.TrimSpace(out)), 64)
	}
}

// printParked runs in the child process of measureParked. It parks, and prints the growth of the
// resident memory for each parked task or goroutine.
func printParked(who string, out io.Writer) error {
	park := parkers[who]
	if park == nil {
		return fmt.Errorf("-parked %s: it must be channel, coroutine or goroutines", who)
	}
	var sizes []int
	err := park(func() error {
		debug.FreeOSMemory() // collects first
		size, err := residentBytes(os.Getpid())
		sizes = append(sizes, size)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, float64(sizes[1]-sizes[0])/float64(parked))
	return err
}

// parkTasks runs without a watchdog: a garbage collection with so many stacks is a slow step, and a
// report of the step would walk all stacks.
func parkTasks(h task.Handoff, measure func() error) error {
	quiet := task.Runner{Handoff: h, Config: loop.Config{SlowStep: -1}}
	return quiet.Run(context.Background(), func(ctx context.Context) error {
		if err := measure(); err != nil {
			return err
		}
		var line task.WaitQueue
		for range parked {
			task.Go(ctx, func(ctx context.Context) error { return line.Wait(ctx, otherTask) })
		}
		for line.Len() < parked {
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
		err := measure()
		line.WakeAll()
		return err
	})
}

func parkGoroutines(measure func() error) error {
	if err := measure(); err != nil {
		return err
	}
	var started, running sync.WaitGroup
	line := make(chan struct{})
	park := func() {
		defer running.Done()
		started.Done()
		<-line
	}
	started.Add(parked)
	running.Add(parked)
	for range parked {
		go park()
	}
	started.Wait()
	err := measure()
	close(line)
	running.Wait()
	return err
}

// residentBytes returns the resident set size of a process, from proc(5).
func residentBytes(pid int) (int, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", errors.ErrUnsupported)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	return resident * os.Getpagesize(), nil
}
