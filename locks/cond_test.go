// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/sim"
	"baton/task"
)

// consumer returns a function that waits for a condition and takes an item.
func consumer(c *locks.Cond, items *int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err := c.L.Lock(ctx); err != nil {
			return err
		}
		defer c.L.Unlock()
		if err := c.WaitFor(ctx, func() bool { return *items > 0 }); err != nil {
			return err
		}
		*items--
		return nil
	}
}

// produce adds n items and notifies as many consumers.
func produce(ctx context.Context, t *testing.T, c *locks.Cond, items *int, n int) {
	t.Helper()
	check(t, "Lock", c.L.Lock(ctx))
	*items += n
	c.Notify(n)
	c.L.Unlock()
}

// Notify(n) wakes the n tasks that have waited longest.
func TestNotifyWakesInOrder(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var mu locks.Mutex
		c := locks.NewCond(&mu)
		items := 0
		ws := []*waiter{}
		for range 4 {
			ws = append(ws, wait(ctx, consumer(c, &items)))
		}
		produce(ctx, t, c, &items, 2)
		settle(ctx)
		want(t, ws, "ok", "ok", "-", "-")
		produce(ctx, t, c, &items, 5)
		settle(ctx)
		want(t, ws, "ok", "ok", "ok", "ok")
		check(t, "a consumer that need not wait", consumer(c, &items)(ctx))
		if mu.Locked() {
			t.Error("the mutex is locked at the end")
		}
	})
}

// Notify(n) wakes min(n, 3) of three waiting tasks, and has no effect on tasks that wait
// later.
func TestNotifyCountsWaiters(t *testing.T) {
	cases := []struct{ n, woken int }{{-1, 0}, {0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 3}, {math.MaxInt, 3}}
	for _, c := range cases {
		t.Run(strconv.Itoa(c.n), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				cond := locks.NewCond(&locks.Mutex{})
				notify := func(n int) { locked(ctx, cond, func() error { cond.Notify(n); return nil }) }
				notify(c.n) // no task waits: this has no effect
				var ws []*waiter
				for range 3 {
					ws = append(ws, wait(ctx, func(ctx context.Context) error {
						return locked(ctx, cond, func() error { return cond.Wait(ctx) })
					}))
				}
				want(t, ws, "-", "-", "-")
				notify(c.n)
				settle(ctx)
				states := []string{"-", "-", "-"}
				for i := range c.woken {
					states[i] = "ok"
				}
				want(t, ws, states...)
				notify(3)
			})
		})
	}
}

// NotifyAll wakes all tasks. They hold the mutex one after another.
func TestNotifyAllWakesAll(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var mu locks.Mutex
		c := locks.NewCond(&mu)
		inside, ws := 0, []*waiter{}
		for range 5 {
			ws = append(ws, wait(ctx, func(ctx context.Context) error {
				mu.Lock(ctx)
				defer mu.Unlock()
				err := c.Wait(ctx)
				if inside++; inside != 1 {
					t.Errorf("%d tasks inside", inside)
				}
				await.Sleep(ctx, time.Second)
				inside--
				return err
			}))
		}
		mu.Lock(ctx)
		c.NotifyAll()
		mu.Unlock()
		await.Sleep(ctx, time.Minute)
		want(t, ws, "ok", "ok", "ok", "ok", "ok")
	})
}

// Every method panics if the caller does not hold the mutex.
func TestCondWithoutMutexPanics(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var mu locks.Mutex
		c := locks.NewCond(&mu)
		calls := []func(){
			func() { c.Wait(ctx) },
			func() { c.WaitFor(ctx, func() bool { return true }) },
			func() { c.Notify(1) },
			func() { c.NotifyAll() },
		}
		for _, call := range calls {
			panics(t, call, "does not hold")
		}
		w := wait(ctx, func(ctx context.Context) error {
			mu.Lock(ctx)
			defer mu.Unlock()
			return await.Sleep(ctx, time.Hour)
		})
		for _, call := range calls { // another task holds the mutex
			panics(t, call, "does not hold")
		}
		w.Cancel(nil)
	})
}

// A cancelled Wait returns with the mutex locked, and returns the same *Canceled as
// task.Check.
func TestCancelledWaitHoldsTheMutex(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var mu locks.Mutex
		c := locks.NewCond(&mu)
		cause := errors.New("enough")
		var waited, began time.Time
		w := wait(ctx, func(ctx context.Context) error {
			mu.Lock(ctx)
			defer mu.Unlock()
			err := c.Wait(ctx)
			waited = task.Now(ctx)
			if mu.Holder() != task.Self(ctx) {
				t.Error("Wait returned without the mutex")
			}
			if again := task.Check(ctx); err != again {
				t.Errorf("Wait = %v, want the same error as Check, %v", err, again)
			}
			return err
		})
		check(t, "Lock", mu.Lock(ctx))
		w.Cancel(cause)
		began = task.Now(ctx)
		await.Sleep(ctx, time.Second)
		mu.Unlock()
		settle(ctx)
		if !errors.Is(w.err, cause) {
			t.Errorf("Wait = %v, want the cause %v", w.err, cause)
		}
		if d := waited.Sub(began); d != time.Second {
			t.Errorf("Wait returned after %v, want 1s, when the mutex was free", d)
		}
	})
}

// A Wait that times out returns with the mutex locked, even if another task holds the mutex
// at the deadline, and even if a cancel comes too.
func TestTimedOutWaitHoldsTheMutex(t *testing.T) {
	never := func() bool { return false }
	calls := map[string]func(c *locks.Cond, ctx context.Context) error{
		"Wait":    (*locks.Cond).Wait,
		"WaitFor": func(c *locks.Cond, ctx context.Context) error { return c.WaitFor(ctx, never) },
	}
	cases := []struct {
		name         string
		taken, freed time.Duration // when another task locks and unlocks the mutex, in seconds
		canceled     time.Duration // when the task is cancelled, in seconds; 0: never
		took         time.Duration
		want         string
	}{
		{"the mutex is free", 2, 2, 0, 1, "expired"},
		{"the mutex is taken", 0, 5, 0, 5, "expired"},
		{"cancelled before", 0, 5, 1, 5, "cancel"},
		{"cancelled while it locks again", 0, 5, 3, 5, "cancel"},
	}
	for _, c := range cases {
		for name, call := range calls {
			t.Run(name+", "+c.name, func(t *testing.T) {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					cond, began := locks.NewCond(&locks.Mutex{}), task.Now(ctx)
					// One nanosecond early, so that a cancel comes before a timeout in
					// the same second.
					second := func(n time.Duration) time.Duration { return n*time.Second - 1 }
					w := wait(ctx, func(ctx context.Context) error {
						cond.L.Lock(ctx)
						err := await.Timeout(ctx, time.Second, func(ctx context.Context) error { return call(cond, ctx) })
						if d := task.Now(ctx).Sub(began).Round(time.Second); cond.L.Holder() != task.Self(ctx) || d != c.took*time.Second {
							t.Errorf("the call returned after %v, with the mutex held by %v", d, cond.L.Holder())
						}
						cond.L.Unlock()
						if errors.Is(err, context.DeadlineExceeded) {
							return errors.New("expired")
						}
						return err
					})
					task.Go(ctx, func(ctx context.Context) error {
						await.Sleep(ctx, second(c.taken))
						cond.L.Lock(ctx)
						await.Sleep(ctx, (c.freed-c.taken)*time.Second)
						cond.L.Unlock()
						return nil
					})
					if c.canceled > 0 {
						await.Sleep(ctx, second(c.canceled))
						w.Cancel(nil)
					}
					await.Sleep(ctx, time.Minute)
					want(t, []*waiter{w}, c.want)
				})
			})
		}
	}
}

// Every item finds a consumer, whichever task is cancelled around a notification.
func TestCancelLosesNoNotification(t *testing.T) {
	cases := []struct {
		name   string
		cancel func(ctx context.Context, first *waiter, produce func())
		states []string
	}{
		{"before", func(ctx context.Context, first *waiter, produce func()) {
			first.Cancel(nil)
			produce()
		}, []string{"cancel", "ok"}},
		{"after", func(ctx context.Context, first *waiter, produce func()) {
			produce()
			first.Cancel(nil)
		}, []string{"ok", "-"}},
		{"while it locks again", func(ctx context.Context, first *waiter, produce func()) {
			produce()
			settle(ctx)
			first.Cancel(nil)
		}, []string{"ok", "-"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var mu locks.Mutex
				cond, items := locks.NewCond(&mu), 0
				ws := []*waiter{wait(ctx, consumer(cond, &items)), wait(ctx, consumer(cond, &items))}
				check(t, "Lock", mu.Lock(ctx))
				c.cancel(ctx, ws[0], func() { items++; cond.Notify(1) })
				mu.Unlock()
				settle(ctx)
				want(t, ws, c.states...)
				if items != 0 {
					t.Errorf("%d items were lost", items)
				}
				if i := slices.Index(c.states, "-"); i >= 0 {
					ws[i].Cancel(nil)
				}
			})
		})
	}
}
