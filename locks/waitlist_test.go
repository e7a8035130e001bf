// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"baton/locks"
	"baton/sim"
	"baton/task"
)

// A waiting Get receives the next item that is put. A waiting Put continues when there is
// space. Both are served in order.
func TestWaitingPutsAndGetsAreServedInOrder(t *testing.T) {
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

// A cancel loses neither an item nor space.
func TestCancelLosesNeitherItemNorSpace(t *testing.T) {
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

// A cancel of a standard context ends a Get too.
func TestStandardCancelEndsGet(t *testing.T) {
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
			t.Error("TryPut passed an item to a cancelled Get")
		}
	})
}

// A fickle context is cancelled right after the first call of Err: between a call's
// checkpoint and its wait.
type fickle struct {
	context.Context
	calls int
}

func (f *fickle) Err() error {
	if f.calls++; f.calls == 1 {
		return nil
	}
	return context.Canceled
}

// A call that is cancelled between its checkpoint and its wait leaves nothing behind.
func TestCancelBetweenCheckpointAndWait(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		q := locks.NewQueue[int](0)
		if _, err := q.Get(&fickle{Context: ctx}); !errors.Is(err, context.Canceled) {
			t.Errorf("Get = %v, want canceled", err)
		}
		if err := q.Put(&fickle{Context: ctx}, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Put = %v, want canceled", err)
		}
		if q.TryPut(1) {
			t.Error("a Get still waits for an item")
		}
		if _, ok := q.TryGet(); ok {
			t.Error("a Put still waits for space")
		}
		b := locks.NewBarrier(2)
		if _, err := b.Wait(&fickle{Context: ctx}); !errors.Is(err, context.Canceled) || b.Waiting() != 0 {
			t.Errorf("Wait = %v, want canceled, and %d wait", err, b.Waiting())
		}
	})
}
