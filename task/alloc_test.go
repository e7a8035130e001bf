// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// A switch, a sleep that is due, a wait with its wake-up and a checkpoint do not allocate,
// under every context of this package.
func TestSwitchesDoNotAllocate(t *testing.T) {
	contexts := map[string]func(ctx context.Context, fn func(ctx context.Context) error) error{
		"task": func(ctx context.Context, fn func(ctx context.Context) error) error {
			_, err := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) }).Await(ctx)
			return err
		},
		"scope": task.Scope,
		"deadline": func(ctx context.Context, fn func(ctx context.Context) error) error {
			ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
			defer release()
			return fn(ctx)
		},
		"shield": func(ctx context.Context, fn func(ctx context.Context) error) error {
			ctx, release := task.Shield(ctx, time.Hour)
			defer release()
			return fn(ctx)
		},
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		for name, within := range contexts {
			t.Run(name, func(t *testing.T) {
				r.Loop = newVirtual(t)
				err := r.Run(context.Background(), func(ctx context.Context) error {
					return within(ctx, func(ctx context.Context) error { return measureAllocations(ctx, t) })
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// measureAllocations measures, together with a partner task that it wakes and that wakes
// it.
func measureAllocations(ctx context.Context, t *testing.T) error {
	var ping, pong task.WaitQueue
	partner := task.Go(ctx, func(ctx context.Context) error {
		for {
			if err := ping.Wait(ctx, task.Text("ping")); err != nil {
				return err
			}
			pong.WakeOne()
		}
	})
	idler := task.Go(ctx, func(ctx context.Context) error {
		for {
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
	})
	turns(ctx, 2) // the two tasks begin
	for name, op := range map[string]func() error{
		"Yield":      func() error { return task.Yield(ctx) },
		"ParkUntil":  func() error { return sleep(ctx, 0) },
		"Checkpoint": func() error { _, err := task.Checkpoint(ctx); return err },
		"WaitQueue": func() error {
			ping.WakeOne()
			return pong.Wait(ctx, task.Text("pong"))
		},
	} {
		var failed error
		for range 10 { // the queues grow to their final size
			failed = errors.Join(failed, op())
		}
		if n := testing.AllocsPerRun(200, func() { failed = errors.Join(failed, op()) }); n != 0 || failed != nil {
			t.Errorf("%s: %v allocations, %v", name, n, failed)
		}
	}
	partner.Cancel(nil)
	idler.Cancel(nil)
	return nil
}

// Cancelling a scope of 100,000 tasks does not allocate for each task.
func TestCancelDoesNotAllocatePerTask(t *testing.T) {
	const n = 100_000
	r := task.Runner{Loop: newVirtual(t), Handoff: task.Channel} // faster than Coroutine under -race
	err := r.Run(context.Background(), func(ctx context.Context) error {
		var during uint64
		cancelled := 0
		err := task.Scope(ctx, func(ctx context.Context) error {
			for range n {
				task.Go(ctx, func(ctx context.Context) error {
					err := forever(ctx)
					if errors.Is(err, errOops) {
						cancelled++
					}
					return err
				})
			}
			turns(ctx, 2)
			s := task.ScopeOf(ctx)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s.Cancel(errOops)
			runtime.ReadMemStats(&after)
			during = after.Mallocs - before.Mallocs
			return nil
		})
		if during > n/1000 || cancelled != n || err != errOops {
			t.Errorf("%d allocations, %d of %d tasks cancelled, %v", during, cancelled, n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
