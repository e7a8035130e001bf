// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"baton/task"
)

const otherTask = task.Text("the other task")

// switchTwoTasks: two tasks wake each other alternately.
func switchTwoTasks(h task.Handoff) side {
	return func(r round) (float64, error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			var here, there task.WaitQueue
			stop := false
			task.Go(ctx, func(ctx context.Context) error {
				for !stop {
					if err := there.Wait(ctx, otherTask); err != nil {
						return err
					}
					here.WakeOne()
				}
				return nil
			})
			if err := task.Yield(ctx); err != nil {
				return 0, err
			}
			ns, err := timed(r.least, func(n int) error {
				for range n {
					there.WakeOne()
					if err := here.Wait(ctx, otherTask); err != nil {
						return err
					}
				}
				return nil
			})
			stop = true
			there.WakeOne()
			return ns / 2, err
		})
	}
}

// switchTwoGoroutines sends a message to another goroutine and back through unbuffered channels.
// That counts as two switches.
func switchTwoGoroutines(r round) (float64, error) {
	ping, pong := make(chan struct{}), make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		for range ping {
			pong <- struct{}{}
		}
	})
	ns, err := timed(r.least, func(n int) error {
		for range n {
			ping <- struct{}{}
			<-pong
		}
		return nil
	})
	close(ping)
	other.Wait()
	return ns / 2, err
}

// switchManyTasks: many tasks yield again and again. The time begins when all tasks wait at a
// gate, and ends before the tasks end.
func switchManyTasks(h task.Handoff) side {
	return func(r round) (ns float64, err error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			var gate task.WaitQueue
			var spent time.Duration
			stop, switches := false, 0
			err := task.Scope(ctx, func(ctx context.Context) error {
				for range many {
					task.Go(ctx, func(ctx context.Context) error {
						if err := gate.Wait(ctx, otherTask); err != nil {
							return err
						}
						n := 0
						for ; !stop; n++ {
							if err := task.Yield(ctx); err != nil {
								return err
							}
						}
						switches += n
						return nil
					})
				}
				for gate.Len() < many {
					if err := task.Yield(ctx); err != nil {
						return err
					}
				}
				start := time.Now()
				gate.WakeAll()
				for spent < r.least {
					if err := task.Yield(ctx); err != nil {
						return err
					}
					spent = time.Since(start)
				}
				stop = true
				return nil
			})
			return float64(spent) / float64(switches), err
		})
	}
}

// switchManyGoroutines is like switchManyTasks, with runtime.Gosched.
func switchManyGoroutines(r round) (float64, error) {
	var stop atomic.Bool
	var switches atomic.Int64
	var waiting, running sync.WaitGroup
	gate := make(chan struct{})
	waiting.Add(many)
	for range many {
		running.Go(func() {
			waiting.Done()
			<-gate
			n := 0
			for ; !stop.Load(); n++ {
				runtime.Gosched()
			}
			switches.Add(int64(n))
		})
	}
	waiting.Wait()
	start, spent := time.Now(), time.Duration(0)
	close(gate)
	for spent < r.least {
		runtime.Gosched()
		spent = time.Since(start)
	}
	stop.Store(true)
	running.Wait()
	return float64(spent) / float64(switches.Load()), nil
}
