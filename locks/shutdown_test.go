// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"baton/locks"
	"baton/sim"
)

// A full queue with capacity 2 is shut down, while two tasks wait in Put and one in Join.
// From now on, Put fails. Get returns the remaining items, if they were not dropped, and
// then fails too.
func TestShutdownOfFullQueue(t *testing.T) {
	ended := locks.ErrShutdown.Error()
	for _, o := range orders {
		for _, immediate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, immediate: %v", o.name, immediate), func(t *testing.T) {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					q := o.make(2)
					var putters []*waiter
					for i := range 4 {
						putters = append(putters, wait(ctx, func(ctx context.Context) error { return q.Put(ctx, i) }))
					}
					joiner := wait(ctx, q.Join)
					q.Shutdown(immediate)
					if !q.IsShutdown() || q.TryPut(9) || !errors.Is(q.Put(ctx, 9), locks.ErrShutdown) {
						t.Error("Put succeeded after Shutdown")
					}
					settle(ctx)
					want(t, putters, "ok", "ok", ended, ended)
					left := 2
					if immediate {
						left = 0
						want(t, []*waiter{joiner}, "ok")
					}
					if q.Len() != left {
						t.Errorf("%d items are left, want %d", q.Len(), left)
					}
					for range left {
						want(t, []*waiter{joiner}, "-")
						_, err := q.Get(ctx)
						check(t, "Get of a remaining item", err)
						q.TaskDone()
					}
					settle(ctx)
					want(t, []*waiter{joiner}, "ok")
					if _, err := q.Get(ctx); !errors.Is(err, locks.ErrShutdown) {
						t.Errorf("Get = %v, want ErrShutdown", err)
					}
					if _, ok := q.TryGet(); ok {
						t.Error("TryGet returned an item")
					}
				})
			})
		}
	}
}

// Shutdown ends the wait of all tasks in Get. A task that received an item just before
// keeps the item.
func TestShutdownWithWaitingGets(t *testing.T) {
	ended := locks.ErrShutdown.Error()
	for _, o := range orders {
		for _, immediate := range []bool{false, true} {
			for _, capacity := range []int{0, 1} {
				t.Run(fmt.Sprintf("%s with capacity %d, immediate: %v", o.name, capacity, immediate), func(t *testing.T) {
					sim.Test(t, func(ctx context.Context, t *testing.T) {
						q := o.make(capacity)
						var got []int
						var getters []*waiter
						for range 3 {
							getters = append(getters, wait(ctx, func(ctx context.Context) error {
								v, err := q.Get(ctx)
								if err == nil {
									got = append(got, v)
								}
								return err
							}))
						}
						q.TryPut(7)
						q.Shutdown(immediate)
						getters[2].Cancel(nil) // too late
						settle(ctx)
						want(t, getters, "ok", ended, ended)
						if !slices.Equal(got, []int{7}) {
							t.Errorf("got %v, want 7", got)
						}
					})
				})
			}
		}
	}
}

// If there was space for the item of a waiting Put before Shutdown, Put succeeds, even if
// the item is never taken.
func TestShutdownAfterPutWasWoken(t *testing.T) {
	for _, immediate := range []bool{false, true} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			q := locks.NewQueue[int](1)
			q.TryPut(1)
			w := wait(ctx, func(ctx context.Context) error { return q.Put(ctx, 2) })
			q.TryGet()
			q.Shutdown(immediate)
			settle(ctx)
			want(t, []*waiter{w}, "ok")
			if v, ok := q.TryGet(); ok == immediate || ok && v != 2 {
				t.Errorf("TryGet = %d, %v after Shutdown(%v)", v, ok, immediate)
			}
		})
	}
}

// A second Shutdown can only drop the remaining items.
func TestSecondShutdown(t *testing.T) {
	cases := []struct {
		calls []bool // immediate
		left  int
	}{
		{[]bool{false}, 1}, {[]bool{false, false}, 1}, {[]bool{false, true}, 0}, {[]bool{true, false}, 0},
		{[]bool{true, true}, 0}, {[]bool{false, true, false}, 0},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.calls), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				q := locks.NewQueue[int](2)
				q.TryPut(1)
				q.TryPut(2)
				q.TryGet()
				joiner := wait(ctx, q.Join)
				for _, immediate := range c.calls {
					q.Shutdown(immediate)
				}
				if q.Len() != c.left || !q.IsShutdown() {
					t.Errorf("%d items are left, want %d", q.Len(), c.left)
				}
				for range c.left {
					q.TryGet()
				}
				for range 1 + c.left { // the taken item is not done yet
					settle(ctx)
					want(t, []*waiter{joiner}, "-")
					q.TaskDone()
				}
				settle(ctx)
				want(t, []*waiter{joiner}, "ok")
			})
		})
	}
}
