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

// TestQueueZeroValue hands over without room.
func TestQueueZeroValue(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var q locks.Queue[string]
		if q.TryPut("nobody waits") {
			t.Error("TryPut without room = true")
		}
		w := wait(ctx, func(ctx context.Context) error { return q.Put(ctx, "hand to hand") })
		if v, ok := q.TryGet(); !ok || v != "hand to hand" {
			t.Errorf("TryGet = %q, %v", v, ok)
		}
		settle(ctx)
		want(t, []*waiter{w}, "ok")
	})
}

// TestQueueManyTasks: producers and consumers with little room never deadlock,
// and every item arrives once, whatever the order. Behaviour 208.
func TestQueueManyTasks(t *testing.T) {
	for _, o := range orders {
		for _, capacity := range []int{0, 1, 3} {
			t.Run(fmt.Sprintf("%s with room for %d", o.name, capacity), func(t *testing.T) {
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

// manyTasks has three tasks put 150 items and three take them.
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

// TestQueueJoin: behaviour 211.
func TestQueueJoin(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](2)
		check(t, "Join of an empty queue", q.Join(ctx))
		panics(t, q.TaskDone, "TaskDone")
		q.TryPut(1)
		q.TryPut(2)
		panics(t, q.TaskDone, "TaskDone") // nothing was taken
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

// TestQueueJoinCounts: what Join waits for, with room for one item that is in the
// queue already. Behaviour 211.
func TestQueueJoinCounts(t *testing.T) {
	type play struct {
		q      *locks.Queue[int]
		putter *waiter // waits for room
		joiner *waiter
	}
	take := func(p play) { p.q.TryGet() }
	done := func(p play) { p.q.TaskDone() }
	cases := []struct {
		name  string
		steps []func(play)
		join  string
	}{
		{"taken is not done", []func(play){take}, "-"},
		{"a putter that has got in counts", []func(play){take, done}, "-"},
		{"both are done", []func(play){take, take, done, done}, "ok"},
		{"a putter that has left does not", []func(play){func(p play) { p.putter.Cancel(nil) }, take, done}, "ok"},
		{"a cancel of the putter is too late", []func(play){take, func(p play) { p.putter.Cancel(nil) }, done}, "-"},
		{"a joiner may leave", []func(play){func(p play) { p.joiner.Cancel(nil) }, take, take, done, done}, "cancel"},
		{"a joiner that is woken does not", []func(play){take, take, done, done, func(p play) { p.joiner.Cancel(nil) }}, "ok"},
		{"what is put afterwards is too late", []func(play){take, take, done, done, func(p play) { p.q.TryPut(3) }}, "ok"},
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

// TestQueueAll: a range over a queue ends at Shutdown, at break and at a cancel.
// Guarantee G14.
func TestQueueAll(t *testing.T) {
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
			t.Errorf("%d, %v out of an empty queue", v, err)
		}
	})
}

// TestQueueAllOfAnother: a range belongs to the task that it was made for.
// Guarantee G26.
func TestQueueAllOfAnother(t *testing.T) {
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
