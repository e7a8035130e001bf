// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"baton/locks"
	"baton/sim"
	"baton/task"
)

// orders are the constructors of queues.
var orders = []struct {
	name string
	make func(capacity int) *locks.Queue[int]
}{
	{"FIFO", locks.NewQueue[int]},
	{"LIFO", locks.NewLIFOQueue[int]},
	{"priority", func(capacity int) *locks.Queue[int] { return locks.NewPriorityQueue(capacity, cmp.Compare[int]) }},
}

// The order of items, and what Len and TryPut return for full and empty queues.
func TestOrderOfItems(t *testing.T) {
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
				for i, v := range []int{31, 10, 32, 20, 11, 33} {
					if !c.q.TryPut(v) || c.q.Len() != i+1 {
						t.Fatalf("TryPut(%d) failed, or Len = %d is wrong", v, c.q.Len())
					}
				}
				if full := c.q.Cap() == 6; full && c.q.TryPut(1) {
					t.Error("TryPut into a full queue = true")
				}
				var got []int
				for v, ok := c.q.TryGet(); ok; v, ok = c.q.TryGet() {
					if got = append(got, v); len(got)+c.q.Len() != 6 {
						t.Errorf("Len = %d after %d items of 6", c.q.Len(), len(got))
					}
				}
				if !slices.Equal(got, c.want) || c.q.Len() != 0 {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
	panics(t, func() { locks.NewQueue[int](-1) }, "-1", "Unbounded")
}

// A queue keeps its order when its ring grows while items wrap around.
func TestGrowingQueueKeepsItsOrder(t *testing.T) {
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

// A priority queue sorts random items, and keeps the order of equal items.
func TestPriorityQueueSortsStably(t *testing.T) {
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
