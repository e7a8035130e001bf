// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"cmp"
	"context"
	"runtime"
	"testing"
	"weak"

	"baton/locks"
	"baton/sim"
	"baton/task"
)

// An item is a value in a queue. It is large enough to be alone in its block of memory.
type item struct {
	rank int
	_    [64]byte
}

// Queues do not keep taken items alive, and limiters do not keep ended tasks alive.
func TestPrimitivesKeepNothingAlive(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		byRank := func(a, b *item) int { return cmp.Compare(a.rank, b.rank) }
		gone := map[string]func() bool{}
		queues := map[string]*locks.Queue[*item]{
			"queue":          locks.NewQueue[*item](locks.Unbounded),
			"LIFO queue":     locks.NewLIFOQueue[*item](locks.Unbounded),
			"priority queue": locks.NewPriorityQueue(locks.Unbounded, byRank),
			"rendezvous":     locks.NewQueue[*item](0),
		}
		for name, q := range queues {
			gone[name] = through(ctx, t, q)
		}
		var limiter locks.Limiter
		limiter.SetCapacity(1)
		gone["limiter"] = borrow(ctx, t, &limiter)
		settle(ctx)
		for name, gone := range gone {
			for range 20 {
				if runtime.GC(); gone() {
					break
				}
			}
			if !gone() {
				t.Errorf("the %s keeps an item or task alive", name)
			}
		}
		runtime.KeepAlive(queues)
		runtime.KeepAlive(&limiter)
	})
}

// through passes items through a queue, and returns a function that reports whether they
// are gone.
func through(ctx context.Context, t *testing.T, q *locks.Queue[*item]) (gone func() bool) {
	var all []weak.Pointer[item]
	for rank := range 4 {
		it := &item{rank: rank}
		all = append(all, weak.Make(it))
		task.Go(ctx, func(ctx context.Context) error { return q.Put(ctx, it) })
	}
	settle(ctx)
	for range all {
		if _, err := q.Get(ctx); err != nil {
			t.Error(err)
		}
	}
	return func() bool {
		for _, w := range all {
			if w.Value() != nil {
				return false
			}
		}
		return true
	}
}

// borrow makes one task wait for a token until it is cancelled, and another until it has
// the token. It returns a function that reports whether both tasks are gone.
func borrow(ctx context.Context, t *testing.T, l *locks.Limiter) (gone func() bool) {
	check(t, "Acquire", l.Acquire(ctx))
	waits := func(ctx context.Context) error {
		if err := l.Acquire(ctx); err != nil {
			return err
		}
		l.Release(ctx)
		return nil
	}
	canceled, served := task.Go(ctx, waits), task.Go(ctx, waits)
	settle(ctx)
	canceled.Cancel(nil)
	settle(ctx)
	l.Release(ctx)
	settle(ctx)
	a, b := weak.Make(canceled), weak.Make(served)
	return func() bool { return a.Value() == nil && b.Value() == nil }
}
