// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"

	"baton/await"
	"baton/netio/process"
	"baton/task"
)

const (
	// childCommand is the program that the children run. It does nothing.
	childCommand = "true"

	// childBatch is how many children one operation of a meter runs.
	childBatch = 64
)

// childShape measures children that end at once, and their output. It runs width children at
// the same time.
func childShape(width int, limit float64) shape {
	return shape{
		name: fmt.Sprintf("child/%d", width), unit: "ns/child", limit: limits(limit, limit),
		ours:  func(h task.Handoff) side { return childTasks(h, width, timed) },
		peers: []peer{{name: "os/exec", side: childGoroutines(width, timed), limited: true}},
	}
}

// childCPUShape is like childShape, but measures CPU time, including that of the children.
func childCPUShape(width int, limit float64) shape {
	return shape{
		name: fmt.Sprintf("child/%d/cpu", width), unit: "ns CPU/child", limit: limits(limit, limit),
		ours:  func(h task.Handoff) side { return childTasks(h, width, burned) },
		peers: []peer{{name: "os/exec", side: childGoroutines(width, burned), limited: true}},
	}
}

// A meter calls do for at least the given time, and returns the cost of one operation. The
// function do performs n operations.
type meter func(least time.Duration, do func(n int) error) (float64, error)

// childTasks runs children with package process, in tasks.
func childTasks(h task.Handoff, width int, m meter) side {
	return func(r round) (float64, error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			cost, err := m(r.least, func(n int) error {
				run := func(ctx context.Context, _ struct{}) ([]byte, error) {
					return process.Command(childCommand).Output(ctx)
				}
				_, err := await.MapN(ctx, width, make([]struct{}, childBatch*n), run)
				return err
			})
			return cost / childBatch, err
		})
	}
}

// childGoroutines runs children with package os/exec, in goroutines.
func childGoroutines(width int, m meter) side {
	return func(r round) (float64, error) {
		cost, err := m(r.least, func(n int) error {
			var g errgroup.Group
			g.SetLimit(width)
			for range childBatch * n {
				g.Go(func() error {
					_, err := exec.Command(childCommand).Output()
					return err
				})
			}
			return g.Wait()
		})
		return cost / childBatch, err
	}
}

// burned is a meter for the CPU time of this process and its children.
func burned(least time.Duration, do func(n int) error) (float64, error) {
	before, err := cpuWithChildren()
	if err != nil {
		return 0, err
	}
	done := 0
	_, err = timed(least, func(n int) error {
		done += n
		return do(n)
	})
	if err != nil {
		return 0, err
	}
	after, err := cpuWithChildren()
	return float64(after-before) / float64(done), err
}

// cpuWithChildren returns the CPU time of this process and of its children that have ended.
func cpuWithChildren() (time.Duration, error) {
	own, err := cpuTime(os.Getpid())
	if err != nil {
		return 0, err
	}
	children, err := cpuOfChildren()
	return own + children, err
}
