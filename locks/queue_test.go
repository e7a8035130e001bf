// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/sim"
	"baton/task"
)

// TestQueueOrder: FIFO, LIFO, priority; full and empty. Behaviour 207.
func TestQueueOrder(t *testing.T) {
	byTens := func(a, b int) int { return cmp.Compare(a/10, b/10) }
	cases := []struct {
		name string
		q    *locks.Queue[int]
		want []int
	}{
		{"FIFO", locks.NewQueue[int](6), []int{31, 10, 32, 20, 11, 33}},
		{"LIFO", locks.NewLIFOQueue[int](6), []int{33, 11, 20, 32, 10, 31}},
		{"priority", locks.NewPriorityQueue(6, byTens), []int{10, 11, 20, 31, 32, 33}},
		{"unbounded", locks.NewQueue[int](locks.Unbounded), []int{31, 10, 32, 20, 11, 33}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 3 {
				for _, v := range []int{31, 10, 32, 20, 11, 33} {
					if !c.q.TryPut(v) {
						t.Fatalf("TryPut(%d) = false", v)
					}
				}
				if full := c.q.Cap() == 6; full && c.q.TryPut(1) {
					t.Error("TryPut into a full queue = true")
				}
				var got []int
				for v, ok := c.q.TryGet(); ok; v, ok = c.q.TryGet() {
					got = append(got, v)
				}
				if !slices.Equal(got, c.want) || c.q.Len() != 0 {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
	panics(t, func() { locks.NewQueue[int](-1) }, "-1", "Unbounded")
}

// TestQueueGrows: a ring that wraps around keeps its order as it grows.
func TestQueueGrows(t *testing.T) {
	q := locks.NewQueue[int](locks.Unbounded)
	put, got := 0, 0
	for range 100 {
		for range 7 {
			q.TryPut(put)
			put++
		}
		for range 4 {
			if v, ok := q.TryGet(); !ok || v != got {
				t.Fatalf("TryGet = %d, %v, want %d", v, ok, got)
			}
			got++
		}
	}
}

// TestPriorityQueueSorts: what goes in at random comes out in order, and equal
// items as they went in.
func TestPriorityQueueSorts(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		type entry struct{ class, number int }
		q := locks.NewPriorityQueue(locks.Unbounded, func(a, b entry) int { return cmp.Compare(a.class, b.class) })
		draw := task.Loop(ctx).Rand()
		for i := range 500 {
			q.TryPut(entry{draw.IntN(50), i})
			if i%7 == 0 {
				q.TryGet()
			}
		}
		last := entry{-1, -1}
		for e, ok := q.TryGet(); ok; e, ok = q.TryGet() {
			if e.class < last.class || e.class == last.class && e.number < last.number {
				t.Errorf("%v came after %v", e, last)
			}
			last = e
		}
	})
}

// TestQueueWaits: a Get that waits gets the item, a Put that waits gets in when
// there is room, each in order. Behaviour 208.
func TestQueueWaits(t *testing.T) {
	for _, capacity := range []int{0, 1, 2} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			q := locks.NewQueue[int](capacity)
			var got []int
			get := func(ctx context.Context) error {
				v, err := q.Get(ctx)
				got = append(got, v)
				return err
			}
			putters := []*waiter{}
			for i := range 5 {
				putters = append(putters, wait(ctx, func(ctx context.Context) error { return q.Put(ctx, i) }))
			}
			states := []string{"ok", "ok", "-", "-", "-"}
			want(t, putters, append(states[2-capacity:2], "-", "-", "-", "-", "-")[:5]...)
			for range 5 {
				check(t, "Get", get(ctx))
			}
			settle(ctx)
			want(t, putters, "ok", "ok", "ok", "ok", "ok")

			getters := []*waiter{wait(ctx, get), wait(ctx, get)}
			check(t, "Put", q.Put(ctx, 5))
			settle(ctx)
			want(t, getters, "ok", "-")
			check(t, "Put", q.Put(ctx, 6))
			settle(ctx)
			if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6}) {
				t.Errorf("capacity %d: got %v", capacity, got)
			}
		})
	}
}

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

// TestQueueCancel: a cancel takes neither an item nor room away. Behaviour 209.
func TestQueueCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](1)
		var got []int
		get := func(ctx context.Context) error {
			v, err := q.Get(ctx)
			if err == nil {
				got = append(got, v)
			}
			return err
		}
		getters := []*waiter{wait(ctx, get), wait(ctx, get), wait(ctx, get)}
		getters[0].Cancel(nil) // before the item
		q.TryPut(1)
		getters[1].Cancel(nil) // after the item
		settle(ctx)
		want(t, getters, "cancel", "ok", "-")
		getters[2].Cancel(nil)
		q.TryPut(2)
		settle(ctx)
		if !slices.Equal(got, []int{1}) || q.Len() != 1 {
			t.Errorf("got %v, and %d items are left, want 1 and one", got, q.Len())
		}

		var putters []*waiter
		for i := 3; i < 6; i++ {
			putters = append(putters, wait(ctx, func(ctx context.Context) error { return q.Put(ctx, i) }))
		}
		putters[0].Cancel(nil)
		q.TryGet()
		putters[1].Cancel(nil)
		settle(ctx)
		want(t, putters, "cancel", "ok", "-")
		if v, _ := q.TryGet(); v != 4 {
			t.Errorf("TryGet = %d, want 4", v)
		}
		settle(ctx)
		want(t, putters, "cancel", "ok", "ok")
	})
}

// TestQueueStandardContext: what the standard library cancels is cancelled as
// well.
func TestQueueStandardContext(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](0)
		w := wait(ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			task.Go(ctx, func(ctx context.Context) error {
				cancel()
				return nil
			})
			_, err := q.Get(ctx)
			return err
		})
		want(t, []*waiter{w}, "cancel")
		if q.TryPut(1) {
			t.Error("somebody still waits")
		}
	})
}

// A fickle context is cancelled by another goroutine right after the first look
// at it: between a call's checkpoint and its parking.
type fickle struct {
	context.Context
	looks int
}

func (f *fickle) Err() error {
	if f.looks++; f.looks == 1 {
		return nil
	}
	return context.Canceled
}

// TestQueueFickleContext: a call that did not get to park leaves nothing behind.
func TestQueueFickleContext(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](0)
		if _, err := q.Get(&fickle{Context: ctx}); !errors.Is(err, context.Canceled) {
			t.Errorf("Get = %v, want canceled", err)
		}
		if err := q.Put(&fickle{Context: ctx}, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Put = %v, want canceled", err)
		}
		if q.TryPut(1) {
			t.Error("somebody waits for an item")
		}
		if _, ok := q.TryGet(); ok {
			t.Error("somebody waits for room")
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
