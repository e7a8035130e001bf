// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"net"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/task"
)

// A task whose calls need not wait still yields from time to time.
func TestCheckpointYieldsSometimes(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		r.Loop = newVirtual(t)
		err := r.Run(context.Background(), func(ctx context.Context) error {
			others := 0
			task.Go(ctx, func(ctx context.Context) error {
				for range 10 {
					others++
					task.Yield(ctx)
				}
				return nil
			})
			task.Loop(ctx).CallSoon(func() { others++ })
			calls := 0
			for ; others < 11; calls++ {
				if calls == 10_000 {
					t.Fatalf("after %d calls the other tasks have run %d times", calls, others)
				}
				if _, err := task.Checkpoint(ctx); err != nil {
					return err
				}
			}
			if calls < 100 {
				t.Errorf("the others ran within %d calls; not every checkpoint must yield", calls)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// watched is a poller that counts the steps between two polls.
type watched struct {
	*virtual.Poller
	steps, most int // the steps since the last poll, and their maximum
}

func (w *watched) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	w.most = max(w.most, w.steps)
	w.steps = 0
	return w.Poller.Wait(done, d)
}

// While an operation is in flight, the loop polls after at most 32 turns or 64 steps, at
// the end of that turn, however busy the tasks are.
func TestBusyTasksDoNotDelayPolls(t *testing.T) {
	for _, test := range []struct{ tasks, most int }{{1, 32}, {2, 64}, {10, 70}, {500, 500}} {
		eachHandoff(t, func(t *testing.T, r task.Runner) {
			world := &watched{Poller: virtual.New(virtual.Config{})}
			r.Loop = newLoop(t, loop.Config{Poller: world})
			err := r.Run(context.Background(), func(ctx context.Context) error {
				listener, err := world.Listen(&net.TCPAddr{}, poll.ListenOptions{})
				if err != nil {
					return err
				}
				task.Loop(ctx).Driver().Submit(&poll.Op{Kind: poll.Accept, Handle: listener})
				for range test.tasks {
					task.Go(ctx, func(ctx context.Context) error {
						for range 200 {
							world.steps++
							if err := task.Yield(ctx); err != nil {
								return err
							}
						}
						return nil
					})
				}
				return nil
			})
			if err != nil || world.most > test.most || world.most < test.most/2 {
				t.Errorf("%d tasks took %d steps without a poll, want at most %d; %v", test.tasks, world.most, test.most, err)
			}
		})
	}
}

// A due timer runs even if tasks never park.
func TestBusyTasksDoNotDelayTimers(t *testing.T) {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		due := false
		task.Loop(ctx).CallLater(time.Millisecond, func() { due = true })
		for !due {
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
