// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/sim"
	"baton/task"
)

// A lock is any primitive that lets one task in at a time.
type lock struct {
	acquire func(ctx context.Context) error
	try     func(ctx context.Context) bool
	release func(ctx context.Context)
}

// exclusive has a constructor for each kind of lock. The tests of this file run with each.
var exclusive = map[string]func() lock{
	"Mutex": func() lock {
		var mu locks.Mutex
		return lock{mu.Lock, mu.TryLock, func(context.Context) { mu.Unlock() }}
	},
	"Semaphore": func() lock {
		s := locks.NewSemaphore(1)
		return lock{s.Acquire, func(context.Context) bool { return s.TryAcquire() }, func(context.Context) { s.Release() }}
	},
	"BoundedSemaphore": func() lock {
		s := locks.NewBoundedSemaphore(1)
		return lock{s.Acquire, func(context.Context) bool { return s.TryAcquire() }, func(context.Context) { s.Release() }}
	},
	"Limiter": func() lock {
		l := locks.NewLimiter(1)
		return lock{l.Acquire, l.TryAcquire, l.Release}
	},
	"Queue, Put": func() lock {
		q := locks.NewQueue[int](1)
		return lock{
			func(ctx context.Context) error { return q.Put(ctx, 0) },
			func(context.Context) bool { return q.TryPut(0) },
			func(context.Context) { q.TryGet() },
		}
	},
	"Queue, Get": func() lock {
		q := locks.NewQueue[int](1)
		q.TryPut(0)
		return lock{
			func(ctx context.Context) error { _, err := q.Get(ctx); return err },
			func(context.Context) bool { _, ok := q.TryGet(); return ok },
			func(context.Context) { q.TryPut(0) },
		}
	},
}

// eachLock runs a test for every kind of lock, each in its own world.
func eachLock(t *testing.T, fn func(ctx context.Context, t *testing.T, l lock)) {
	for name, make := range exclusive {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) { fn(ctx, t, make()) })
		})
	}
}

// At most one task is inside at a time, even if tasks are cancelled. At the end the lock is
// free.
func TestOneTaskInsideAtATime(t *testing.T) {
	eachLock(t, func(ctx context.Context, t *testing.T, l lock) {
		inside, entered := 0, 0
		draw := task.Loop(ctx).Rand()
		err := task.Scope(ctx, func(ctx context.Context) error {
			for range 20 {
				task.Go(ctx, func(ctx context.Context) error {
					for range 20 {
						use(ctx, t, l, draw, &inside, &entered)
					}
					return nil
				})
			}
			return nil
		})
		check(t, "Scope", err)
		if entered == 0 {
			t.Error("no task got in")
		}
		if !l.try(ctx) {
			t.Error("the lock is not free at the end")
		}
	})
}

// use acquires the lock under a timeout and holds it for a while.
func use(ctx context.Context, t *testing.T, l lock, draw *rand.Rand, inside, entered *int) {
	timed, release := await.WithTimeout(ctx, time.Duration(draw.IntN(40))*time.Millisecond)
	defer release()
	if l.acquire(timed) != nil {
		return
	}
	defer l.release(ctx)
	*inside++
	*entered++
	if *inside != 1 {
		t.Errorf("%d tasks inside", *inside)
	}
	await.Sleep(timed, time.Duration(draw.IntN(3))*time.Millisecond)
	*inside--
}

// Waiting tasks get the lock in the order of their arrival.
func TestWaitersAreServedInOrder(t *testing.T) {
	eachLock(t, func(ctx context.Context, t *testing.T, l lock) {
		check(t, "acquire", l.acquire(ctx))
		var order []int
		for i := range 10 {
			wait(ctx, func(ctx context.Context) error {
				if err := l.acquire(ctx); err != nil {
					return err
				}
				order = append(order, i)
				task.Yield(ctx)
				l.release(ctx)
				return nil
			})
		}
		l.release(ctx)
		settle(ctx)
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(order, want) {
			t.Errorf("the order was %v, want %v", order, want)
		}
	})
}

// A task that releases the lock and acquires it again does not overtake a task that was
// woken.
func TestWokenWaiterIsNotOvertaken(t *testing.T) {
	eachLock(t, func(ctx context.Context, t *testing.T, l lock) {
		check(t, "acquire", l.acquire(ctx))
		w := wait(ctx, func(ctx context.Context) error {
			defer l.release(ctx)
			return l.acquire(ctx)
		})
		l.release(ctx)
		if l.try(ctx) {
			t.Error("try succeeded before a woken waiter")
		}
		check(t, "acquire", l.acquire(ctx))
		want(t, []*waiter{w}, "ok")
		l.release(ctx)
	})
}

// A waiter that is cancelled before the release does not get the lock. The next waiter gets
// it.
func TestCancelBeforeRelease(t *testing.T) {
	eachLock(t, func(ctx context.Context, t *testing.T, l lock) {
		check(t, "acquire", l.acquire(ctx))
		ws := []*waiter{wait(ctx, l.acquire), wait(ctx, l.acquire), wait(ctx, l.acquire)}
		ws[0].Cancel(nil)
		ws[1].Cancel(nil)
		l.release(ctx)
		settle(ctx)
		want(t, ws, "cancel", "cancel", "ok")
	})
}

// A waiter that is cancelled after the release still has the lock. The next waiter gets it
// later.
func TestCancelAfterRelease(t *testing.T) {
	eachLock(t, func(ctx context.Context, t *testing.T, l lock) {
		check(t, "acquire", l.acquire(ctx))
		first := wait(ctx, func(ctx context.Context) error {
			if err := l.acquire(ctx); err != nil {
				return err
			}
			defer l.release(ctx)
			return task.Check(ctx) // the cancel lasts
		})
		second := wait(ctx, l.acquire)
		l.release(ctx)
		first.Cancel(nil)
		settle(ctx)
		want(t, []*waiter{first, second}, "cancel", "ok")
	})
}

// Under a cancelled ctx, acquire fails every time, even if the lock is free.
func TestAcquireUnderCancelledContext(t *testing.T) {
	eachLock(t, func(ctx context.Context, t *testing.T, l lock) {
		canceled, release := await.WithTimeout(ctx, 0)
		defer release()
		for range 3 {
			if err := l.acquire(canceled); err == nil {
				t.Error("acquire succeeded after a cancel")
			}
		}
		if !l.try(ctx) {
			t.Error("the lock is not free")
		}
	})
}

// A task that acquires the lock many times without waiting still lets other tasks run.
func TestAcquireLetsOtherTasksRun(t *testing.T) {
	eachLock(t, func(ctx context.Context, t *testing.T, l lock) {
		ran := false
		other := task.Go(ctx, func(context.Context) error { ran = true; return nil })
		for range 1000 {
			check(t, "acquire", l.acquire(ctx))
			l.release(ctx)
		}
		if !ran {
			t.Errorf("%v has not run", other)
		}
	})
}

// FuzzExclusion makes a sequence of calls on a lock and on a model of it. The first byte
// chooses the lock. Each other byte is a call.
func FuzzExclusion(f *testing.F) {
	f.Add([]byte{0, 0, 4, 8, 1, 2, 6, 3, 0, 4, 1, 1, 1, 1})
	f.Add([]byte{1, 0, 0, 0, 1, 2, 1, 2, 3, 1})
	for i := range byte(6) {
		script := make([]byte, 200)
		random := rand.New(rand.NewPCG(1, uint64(i)))
		for j := range script {
			script[j] = byte(random.Uint32())
		}
		script[0] = i
		f.Add(script)
	}
	names := []string{"Mutex", "Semaphore", "BoundedSemaphore", "Limiter", "Queue, Put", "Queue, Get"}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 || len(script) > 500 {
			return
		}
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			p := &lockModel{lock: exclusive[names[int(script[0])%len(names)]]()}
			for _, b := range script[1:] {
				p.call(ctx, b)
			}
			settle(ctx)
			want(t, p.waiters, p.model...)
			for i, leave := range p.leave { // now all waiters get in, one after another
				leave.Set()
				if p.model[i] == "-" {
					p.model[i] = "ok"
				}
			}
			settle(ctx)
			want(t, p.waiters, p.model...)
		})
	})
}

// A lockModel is a lock, its users, and a model of them. A user that gets in stays until the
// script lets it leave.
type lockModel struct {
	lock    lock
	waiters []*waiter
	leave   []*locks.Event
	model   []string // "-", "in", "ok" or "cancel", for each waiter
	queue   []int    // the waiting users, in order
	in      int      // 1 + the index of the user that is in; 0: the lock is free
}

func (p *lockModel) call(ctx context.Context, b byte) {
	switch k := int(b >> 2); b & 3 {
	case 0, 1: // another user
		settle(ctx)
		i, leave := len(p.waiters), &locks.Event{}
		p.leave = append(p.leave, leave)
		p.model = append(p.model, "-")
		p.waiters = append(p.waiters, wait(ctx, func(ctx context.Context) error {
			if err := p.lock.acquire(ctx); err != nil {
				return err
			}
			shielded, release := task.Shield(ctx, -1)
			defer release()
			check := leave.Wait(shielded)
			p.lock.release(shielded)
			return check
		}))
		p.queue = append(p.queue, i)
		p.next()
	case 2: // the user that is in leaves
		if p.in > 0 {
			i := p.in - 1
			p.leave[i].Set()
			settle(ctx)
			p.model[i], p.in = "ok", 0
			p.next()
		}
	case 3: // a cancel of any user
		if len(p.waiters) == 0 {
			return
		}
		i := k % len(p.waiters)
		p.waiters[i].Cancel(nil)
		if j := slices.Index(p.queue, i); j >= 0 {
			p.queue = slices.Delete(p.queue, j, j+1)
			p.model[i] = "cancel"
		}
	}
}

// next lets the first waiting user in if the lock is free.
func (p *lockModel) next() {
	if p.in == 0 && len(p.queue) > 0 {
		p.in = p.queue[0] + 1
		p.queue = p.queue[1:]
	}
}
