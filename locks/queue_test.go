// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/sim"
	"baton/task"
)

// The zero value passes items directly from Put to Get.
func TestZeroValueOfQueue(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var q locks.Queue[string]
		if q.TryPut("no task waits") {
			t.Error("TryPut without a waiting Get = true")
		}
		w := wait(ctx, func(ctx context.Context) error { return q.Put(ctx, "direct") })
		if v, ok := q.TryGet(); !ok || v != "direct" {
			t.Errorf("TryGet = %q, %v", v, ok)
		}
		settle(ctx)
		want(t, []*waiter{w}, "ok")
	})
}

// Producers and consumers of a small queue never deadlock, and every item arrives once.
func TestEveryItemArrivesOnce(t *testing.T) {
	for _, o := range orders {
		for _, capacity := range []int{0, 1, 3} {
			t.Run(fmt.Sprintf("%s with capacity %d", o.name, capacity), func(t *testing.T) {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					seen := make(map[int]int)
					check(t, "Scope", manyTasks(ctx, o.make(capacity), seen))
					for i := range 150 {
						if seen[i] != 1 {
							t.Errorf("item %d arrived %d times", i, seen[i])
						}
					}
				})
			})
		}
	}
}

// manyTasks makes three tasks put 150 items and three tasks take them.
func manyTasks(ctx context.Context, q *locks.Queue[int], seen map[int]int) error {
	return task.Scope(ctx, func(ctx context.Context) error {
		for range 3 {
			task.Go(ctx, func(ctx context.Context) error {
				for v, err := range q.All(ctx) {
					if err != nil {
						return err
					}
					seen[v]++
					q.TaskDone()
				}
				return nil
			})
		}
		_, err := await.Map(ctx, []int{0, 50, 100}, func(ctx context.Context, from int) (int, error) {
			for i := range 50 {
				if err := q.Put(ctx, from+i); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		if err == nil {
			err = q.Join(ctx)
		}
		q.Shutdown(false)
		return err
	})
}

// Join waits until TaskDone was called for every item. TaskDone panics if it is called too
// often.
func TestJoinWaitsForTaskDone(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](2)
		check(t, "Join of an empty queue", q.Join(ctx))
		panics(t, q.TaskDone, "TaskDone")
		q.TryPut(1)
		q.TryPut(2)
		panics(t, q.TaskDone, "TaskDone") // no item was taken
		joiners := []*waiter{wait(ctx, q.Join), wait(ctx, q.Join)}
		q.TryGet()
		q.TryGet()
		q.TaskDone()
		settle(ctx)
		want(t, joiners, "-", "-")
		q.TaskDone()
		settle(ctx)
		want(t, joiners, "ok", "ok")
		panics(t, q.TaskDone, "TaskDone")
	})
}

// Which items Join waits for. The queue has capacity 1 and is full.
func TestItemsThatJoinCounts(t *testing.T) {
	type play struct {
		q      *locks.Queue[int]
		putter *waiter // waits for space
		joiner *waiter
	}
	take := func(p play) { p.q.TryGet() }
	done := func(p play) { p.q.TaskDone() }
	cases := []struct {
		name  string
		steps []func(play)
		join  string
	}{
		{"a taken item is not done", []func(play){take}, "-"},
		{"the item of a woken putter counts", []func(play){take, done}, "-"},
		{"both items are done", []func(play){take, take, done, done}, "ok"},
		{"the item of a cancelled putter does not count", []func(play){func(p play) { p.putter.Cancel(nil) }, take, done}, "ok"},
		{"the putter is cancelled after its wake-up", []func(play){take, func(p play) { p.putter.Cancel(nil) }, done}, "-"},
		{"the joiner is cancelled", []func(play){func(p play) { p.joiner.Cancel(nil) }, take, take, done, done}, "cancel"},
		{"the joiner is cancelled after its wake-up", []func(play){take, take, done, done, func(p play) { p.joiner.Cancel(nil) }}, "ok"},
		{"an item is put after the wake-up", []func(play){take, take, done, done, func(p play) { p.q.TryPut(3) }}, "ok"},
	}
	for _, o := range orders {
		for _, c := range cases {
			t.Run(o.name+", "+c.name, func(t *testing.T) {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					q := o.make(1)
					q.TryPut(1)
					p := play{q, wait(ctx, func(ctx context.Context) error { return q.Put(ctx, 2) }), wait(ctx, q.Join)}
					for _, step := range c.steps {
						step(p)
					}
					settle(ctx)
					want(t, []*waiter{p.joiner}, c.join)
					p.joiner.Cancel(nil)
					q.Shutdown(true)
				})
			})
		}
	}
}

// A range over a queue ends at Shutdown, at break and at a cancel.
func TestRangeOverQueueEnds(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](8)
		for i := range 4 {
			q.TryPut(i)
		}
		for v, err := range q.All(ctx) {
			if check(t, "All", err); v == 1 {
				break
			}
		}
		err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
			steps := 0
			for v, err := range q.All(ctx) {
				if steps++; err != nil {
					if steps != 3 {
						t.Errorf("%d steps, the last one with %d, want 3", steps, v)
					}
					return err
				}
			}
			t.Error("a cancelled range ended without the error")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("range = %v, want deadline exceeded", err)
		}
		task.Go(ctx, func(ctx context.Context) error {
			await.Sleep(ctx, time.Second)
			q.Shutdown(false)
			return nil
		})
		for v, err := range q.All(ctx) {
			t.Errorf("an empty queue returned %d, %v", v, err)
		}
	})
}

// Only the task that called All may use the range.
func TestRangeOfAnotherTask(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](1)
		q.TryPut(1)
		mine := q.All(ctx)
		wait(ctx, func(ctx context.Context) error {
			panics(t, func() {
				for range mine {
					t.Error("the range of another task runs")
				}
			}, task.Self(ctx).String())
			return nil
		})
	})
}
