// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"baton/loop"
	"baton/task"
)

// delays are the delays of the timers, the same for both sides. No timer expires during a
// measurement.
var delays = sync.OnceValue(func() []time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]time.Duration, 1<<16)
	for i := range list {
		list[i] = time.Hour + time.Duration(r.Int64N(int64(time.Hour)))
	}
	return list
})

// order is the order in which timers/bulk cancels its timers, the same for both sides.
var order = sync.OnceValue(func() []int {
	return rand.New(rand.NewPCG(3, 4)).Perm(bulk)
})

func never() {}

// timersEachOurs adds and cancels one timer while many others are active.
func timersEachOurs(h task.Handoff) side {
	return func(r round) (float64, error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			l := task.Loop(ctx)
			later := delays()
			live := make([]*loop.Handle, many)
			for i := range live {
				live[i] = l.CallLater(later[i%len(later)], never)
			}
			ns, err := timed(r.least, func(n int) error {
				for i := range n {
					l.CallLater(later[i%len(later)], never).Cancel()
				}
				return task.Yield(ctx)
			})
			for _, handle := range live {
				handle.Cancel()
			}
			return ns, err
		})
	}
}

// timersEachStandard is like timersEachOurs, with time.AfterFunc and Stop.
func timersEachStandard(r round) (float64, error) {
	later := delays()
	live := make([]*time.Timer, many)
	for i := range live {
		live[i] = time.AfterFunc(later[i%len(later)], never)
	}
	ns, err := timed(r.least, func(n int) error {
		for i := range n {
			time.AfterFunc(later[i%len(later)], never).Stop()
		}
		return nil
	})
	for _, t := range live {
		t.Stop()
	}
	return ns, err
}

// timersBulkOurs adds a million timers and cancels them in random order. It sometimes yields, as a
// task should that works for so long.
func timersBulkOurs(h task.Handoff) side {
	const stretch = 10_000
	return func(round) (float64, error) {
		return inTask(h, func(ctx context.Context) (float64, error) {
			l := task.Loop(ctx)
			later, shuffled := delays(), order()
			live := make([]*loop.Handle, bulk)
			start := time.Now()
			for i := range live {
				live[i] = l.CallLater(later[i%len(later)], never)
				if i%stretch == 0 {
					if err := task.Yield(ctx); err != nil {
						return 0, err
					}
				}
			}
			for n, i := range shuffled {
				live[i].Cancel()
				if n%stretch == 0 {
					if err := task.Yield(ctx); err != nil {
						return 0, err
					}
				}
			}
			return float64(time.Since(start)) / float64(bulk), nil
		})
	}
}

// timersBulkStandard is like timersBulkOurs, with time.AfterFunc and Stop.
func timersBulkStandard(round) (float64, error) {
	later, shuffled := delays(), order()
	live := make([]*time.Timer, bulk)
	start := time.Now()
	for i := range live {
		live[i] = time.AfterFunc(later[i%len(later)], never)
	}
	for _, i := range shuffled {
		live[i].Stop()
	}
	return float64(time.Since(start)) / float64(bulk), nil
}
