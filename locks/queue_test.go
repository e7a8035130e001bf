// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"errors"
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
// and every item arrives once. Behaviour 208.
func TestQueueManyTasks(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](1)
		seen := make(map[int]int)
		err := task.Scope(ctx, func(ctx context.Context) error {
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
			_, err := await.Map(ctx, []int{0, 100, 200}, func(ctx context.Context, from int) (int, error) {
				for i := range 100 {
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
		check(t, "Scope", err)
		for i := range 300 {
			if seen[i] != 1 {
				t.Errorf("item %d arrived %d times", i, seen[i])
			}
		}
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

// TestQueueShutdown: behaviour 212.
func TestQueueShutdown(t *testing.T) {
	ended := locks.ErrShutdown.Error()
	for _, immediate := range []bool{false, true} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			q := locks.NewQueue[int](1)
			q.TryPut(1)
			putter := wait(ctx, func(ctx context.Context) error { return q.Put(ctx, 2) })
			joiner := wait(ctx, q.Join)
			q.Shutdown(immediate)
			if !q.IsShutdown() || q.TryPut(3) || !errors.Is(q.Put(ctx, 3), locks.ErrShutdown) {
				t.Error("Put into a queue that was shut down")
			}
			settle(ctx)
			want(t, []*waiter{putter}, ended)
			if immediate {
				want(t, []*waiter{joiner}, "ok")
			} else {
				want(t, []*waiter{joiner}, "-")
				v, err := q.Get(ctx)
				check(t, "Get of what is left", err)
				if v != 1 {
					t.Errorf("Get = %d, want 1", v)
				}
				q.TaskDone()
				settle(ctx)
				want(t, []*waiter{joiner}, "ok")
			}
			if _, err := q.Get(ctx); !errors.Is(err, locks.ErrShutdown) {
				t.Errorf("Get = %v, want ErrShutdown", err)
			}
		})
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			q := locks.NewQueue[int](1)
			getter := wait(ctx, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
			q.Shutdown(immediate)
			settle(ctx)
			want(t, []*waiter{getter}, ended)
		})
	}
	sim.Test(t, func(ctx context.Context, t *testing.T) { // it only escalates
		q := locks.NewQueue[int](2)
		q.TryPut(1)
		q.TryPut(2)
		q.TryGet()
		joiner := wait(ctx, q.Join)
		q.Shutdown(false)
		q.Shutdown(true)
		q.Shutdown(false)
		settle(ctx)
		want(t, []*waiter{joiner}, "-") // what was taken is not done
		q.TaskDone()
		settle(ctx)
		want(t, []*waiter{joiner}, "ok")
	})
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
