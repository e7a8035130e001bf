// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"fmt"
	"testing"

	"baton/locks"
	"baton/sim"
	"baton/task"
)

// locked calls fn with the mutex of a condition locked.
func locked(ctx context.Context, c *locks.Cond, fn func() error) error {
	if err := c.L.Lock(ctx); err != nil {
		return err
	}
	defer c.L.Unlock()
	return fn()
}

// Every call panics if ctx belongs to no task. The message contains the name of the call.
func TestContextWithoutTask(t *testing.T) {
	queue := locks.NewQueue[int](1)
	for name, call := range map[string]func(ctx context.Context){
		"Mutex.Lock":        func(ctx context.Context) { new(locks.Mutex).Lock(ctx) },
		"Mutex.TryLock":     func(ctx context.Context) { new(locks.Mutex).TryLock(ctx) },
		"Event.Wait":        func(ctx context.Context) { new(locks.Event).Wait(ctx) },
		"Cond.Wait":         func(ctx context.Context) { locks.NewCond(&locks.Mutex{}).Wait(ctx) },
		"Semaphore.Acquire": func(ctx context.Context) { locks.NewSemaphore(1).Acquire(ctx) },
		"Limiter.Acquire":   func(ctx context.Context) { new(locks.Limiter).Acquire(ctx) },
		"Barrier.Wait":      func(ctx context.Context) { locks.NewBarrier(2).Wait(ctx) },
		"Queue.Get":         func(ctx context.Context) { queue.Get(ctx) },
		"Queue.Put":         func(ctx context.Context) { queue.Put(ctx, 1) },
		"Queue.Join":        func(ctx context.Context) { queue.Join(ctx) },
	} {
		panics(t, func() { call(context.Background()) }, "locks: "+name+" with a context that does not belong")
	}
}

// A call panics every time if a task of another loop holds the lock or waits for it. The
// message names the caller and the other loop.
func TestTasksOfTwoLoops(t *testing.T) {
	var (
		held    locks.Mutex
		event   locks.Event
		cond    = locks.NewCond(&locks.Mutex{})
		sem     locks.Semaphore
		limiter locks.Limiter
		two     = locks.NewBarrier(2)
		three   = locks.NewBarrier(3)
		get     = locks.NewQueue[int](1)
		put     = locks.NewQueue[int](0)
		join    = locks.NewQueue[int](1)
	)
	join.TryPut(1)
	join.TryGet()
	arrive := func(b *locks.Barrier) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if _, err := b.Wait(ctx); err != locks.ErrBroken {
				return fmt.Errorf("Wait = %v, want ErrBroken", err)
			}
			return nil
		}
	}
	cases := []struct {
		name string
		wait func(ctx context.Context) error
		free func()
	}{
		{"Mutex", held.Lock, func() {}},
		{"Event", event.Wait, event.Set},
		{"Cond", func(ctx context.Context) error { return locked(ctx, cond, func() error { return cond.Wait(ctx) }) }, nil},
		{"Semaphore", sem.Acquire, sem.Release},
		{"Limiter", limiter.Acquire, func() { limiter.SetCapacity(1) }},
		{"Barrier", arrive(three), three.Abort},
		{"Barrier, the last party", arrive(two), two.Abort},
		{"Queue.Get", func(ctx context.Context) error { _, err := get.Get(ctx); return err }, func() { get.TryPut(0) }},
		{"Queue.Put", func(ctx context.Context) error { return put.Put(ctx, 0) }, func() { put.TryGet() }},
		{"Queue.Join", join.Join, join.TaskDone},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			elsewhere(t, c.wait, func(ctx context.Context, first string) {
				for range 2 {
					panics(t, func() { c.wait(ctx) }, first, task.Self(ctx).String())
				}
			}, func(ctx context.Context) {
				if c.free == nil {
					check(t, "Lock", locked(ctx, cond, func() error { cond.Notify(1); return nil }))
					return
				}
				c.free()
			})
		})
	}
}

// A foreignWake is a call that wakes a waiter.
type foreignWake struct {
	name  string
	wait  func(ctx context.Context) error
	wake  func(ctx context.Context)
	state func() any // the state that the call must not change when it panics
}

// foreignWakes makes each call from a goroutine without the baton. The call must panic and
// change nothing, and the waiter must still be woken later.
func foreignWakes(t *testing.T, cases []foreignWake) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			elsewhere(t, c.wait, func(ctx context.Context, _ string) {
				before := fmt.Sprint(c.state())
				panics(t, func() { c.wake(ctx) }, "locks: ", "baton")
				if after := fmt.Sprint(c.state()); after != before {
					t.Errorf("the call changed the state from %v to %v", before, after)
				}
			}, c.wake)
		})
	}
}

// plain returns fn as a function that ignores its ctx.
func plain(fn func()) func(context.Context) { return func(context.Context) { fn() } }

// ends returns a function that fails if wait does not return the error want.
func ends(want error, wait func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err := wait(ctx); err != want {
			return fmt.Errorf("the wait ended with %v, want %v", err, want)
		}
		return nil
	}
}

// Calls that wake a task panic without the baton.
func TestWakeWithoutBatonPanics(t *testing.T) {
	var (
		mu       locks.Mutex
		event    locks.Event
		cond     = locks.NewCond(&locks.Mutex{})
		sem      locks.Semaphore
		bounded  = locks.NewBoundedSemaphore(1)
		limiter  = locks.NewLimiter(1)
		capacity locks.Limiter
		aborted  = locks.NewBarrier(2)
		reset    = locks.NewBarrier(2)
	)
	bounded.TryAcquire()
	limiter.TryAcquireFor("guest")
	arrive := func(b *locks.Barrier) func(ctx context.Context) error {
		return func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
	}
	notified := func(ctx context.Context) error { return locked(ctx, cond, func() error { return cond.Wait(ctx) }) }
	notify := func(fn func()) func(ctx context.Context) {
		return func(ctx context.Context) { locked(ctx, cond, func() error { fn(); return nil }) }
	}
	foreignWakes(t, []foreignWake{
		{"Mutex.Unlock", func(ctx context.Context) error { mu.TryLock(ctx); return mu.Lock(ctx) }, plain(mu.Unlock),
			func() any { return mu.Holder() }},
		{"Event.Set", event.Wait, plain(event.Set), func() any { return event.IsSet() }},
		{"Cond.Notify", notified, notify(func() { cond.Notify(1) }), func() any { return cond.L.Locked() }},
		{"Cond.NotifyAll", notified, notify(cond.NotifyAll), func() any { return cond.L.Locked() }},
		{"Semaphore.Release", sem.Acquire, plain(sem.Release), func() any { return sem.Free() }},
		{"bounded Semaphore.Release", bounded.Acquire, plain(bounded.Release), func() any { return bounded.Free() }},
		{"Limiter.Release", limiter.Acquire, plain(func() { limiter.ReleaseFor("guest") }),
			func() any { return limiter.Stats() }},
		{"Limiter.SetCapacity", capacity.Acquire, plain(func() { capacity.SetCapacity(1) }),
			func() any { return capacity.Stats() }},
		{"Barrier.Abort", ends(locks.ErrBroken, arrive(aborted)), plain(aborted.Abort),
			func() any { return aborted.Broken() }},
		{"Barrier.Reset", ends(locks.ErrBroken, arrive(reset)), plain(reset.Reset),
			func() any { return reset.Waiting() }},
	})
}

// Calls of a queue that wake a task panic without the baton.
func TestWakeByQueueWithoutBatonPanics(t *testing.T) {
	empty, unbuffered := locks.NewQueue[int](1), locks.NewQueue[int](0)
	least := locks.NewPriorityQueue(1, func(a, b int) int { return a - b })
	full, join, getters, putters, joiners := locks.NewQueue[int](1), locks.NewQueue[int](1),
		locks.NewQueue[int](1), locks.NewQueue[int](1), locks.NewQueue[int](1)
	for _, q := range []*locks.Queue[int]{full, least, join, putters, joiners} {
		q.TryPut(1)
	}
	join.TryGet()
	get := func(q *locks.Queue[int]) func(ctx context.Context) error {
		return func(ctx context.Context) error { _, err := q.Get(ctx); return err }
	}
	put := func(q *locks.Queue[int]) func(ctx context.Context) error {
		return func(ctx context.Context) error { return q.Put(ctx, 2) }
	}
	shutdown := func(q *locks.Queue[int]) func(context.Context) { return plain(func() { q.Shutdown(true) }) }
	state := func(q *locks.Queue[int]) func() any { return func() any { return fmt.Sprint(q.Len(), q.IsShutdown()) } }
	foreignWakes(t, []foreignWake{
		{"TryPut", get(empty), plain(func() { empty.TryPut(0) }), state(empty)},
		{"TryGet", put(full), plain(func() { full.TryGet() }), state(full)},
		{"TryGet of a priority queue", put(least), plain(func() { least.TryGet() }), state(least)},
		{"TryGet of an unbuffered queue", put(unbuffered), plain(func() { unbuffered.TryGet() }), state(unbuffered)},
		{"TaskDone", join.Join, plain(join.TaskDone), state(join)}, // a second call would be misuse
		{"Shutdown and Get", ends(locks.ErrShutdown, get(getters)), shutdown(getters), state(getters)},
		{"Shutdown and Put", ends(locks.ErrShutdown, put(putters)), shutdown(putters), state(putters)},
		{"Shutdown and Join", joiners.Join, shutdown(joiners), state(joiners)},
	})
}

// Notify panics on another goroutine, even while the holder of the mutex runs.
func TestNotifyOnOtherGoroutinePanics(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		c := locks.NewCond(&locks.Mutex{})
		w := wait(ctx, func(ctx context.Context) error { return locked(ctx, c, func() error { return c.Wait(ctx) }) })
		check(t, "Lock", c.L.Lock(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			panics(t, func() { c.Notify(1) }, "does not hold the mutex")
			panics(t, c.NotifyAll, "does not hold the mutex")
		}()
		<-done // blocks with the baton, so the task stays running
		c.L.Unlock()
		settle(ctx)
		want(t, []*waiter{w}, "-")
		check(t, "Lock", locked(ctx, c, func() error { c.Notify(1); return nil }))
		settle(ctx)
		want(t, []*waiter{w}, "ok")
	})
}

// Types that need a constructor panic without it, and the message names the constructor.
func TestZeroValuesThatNeedAConstructor(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var barrier locks.Barrier
		panics(t, func() { barrier.Wait(ctx) }, "NewBarrier")
		var cond locks.Cond
		for _, call := range []func(){
			func() { cond.Wait(ctx) },
			func() { cond.WaitFor(ctx, func() bool { return true }) },
			func() { cond.Notify(1) },
			cond.NotifyAll,
		} {
			panics(t, call, "NewCond")
		}
		panics(t, func() { locks.NewPriorityQueue[int](1, nil) }, "cmp.Compare")
	})
}
