// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"slices"
	"testing"

	"baton/await"
	"baton/locks"
	"baton/sim"
)

// TestBarrier: rounds of tasks pass together, each with an index of its own.
func TestBarrier(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		const parties, rounds = 3, 4
		b := locks.NewBarrier(parties)
		var passed []int // rounds, in the order of passing
		indices := make([][]int, rounds)
		_, err := await.Map(ctx, make([]int, parties), func(ctx context.Context, _ int) (int, error) {
			for r := range rounds {
				i, err := b.Wait(ctx)
				if err != nil {
					return 0, err
				}
				passed = append(passed, r)
				indices[r] = append(indices[r], i)
			}
			return 0, nil
		})
		check(t, "Map", err)
		if !slices.IsSorted(passed) {
			t.Errorf("the rounds overlapped: %v", passed)
		}
		for r, got := range indices {
			slices.Sort(got)
			if !slices.Equal(got, []int{0, 1, 2}) {
				t.Errorf("round %d had the indices %v", r, got)
			}
		}
	})
}

// TestBarrierLast: the one that comes last gets 0.
func TestBarrierLast(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		b := locks.NewBarrier(2)
		w := wait(ctx, func(ctx context.Context) error { _, err := b.Wait(ctx); return err })
		if b.Waiting() != 1 || b.Parties() != 2 {
			t.Errorf("%d of %d wait, want 1 of 2", b.Waiting(), b.Parties())
		}
		i, err := b.Wait(ctx)
		check(t, "Wait", err)
		if i != 0 || b.Waiting() != 0 {
			t.Errorf("the last one got %d, and %d wait", i, b.Waiting())
		}
		settle(ctx)
		want(t, []*waiter{w}, "ok")
	})
}

// TestBarrierCancel: a cancelled task leaves at once, and does not break
// anything.
func TestBarrierCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		b := locks.NewBarrier(2)
		arrive := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
		first := wait(ctx, arrive)
		first.Cancel(nil)
		second := wait(ctx, arrive) // arrives before first has run
		want(t, []*waiter{first, second}, "cancel", "-")
		check(t, "Wait", arrive(ctx))
		second.Cancel(nil) // has passed
		settle(ctx)
		want(t, []*waiter{second}, "ok")
	})
}

// TestBarrierBroken: Abort and Reset.
func TestBarrierBroken(t *testing.T) {
	panics(t, func() { locks.NewBarrier(0) }, "0 parties")
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		b := locks.NewBarrier(2)
		arrive := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
		w := wait(ctx, arrive)
		b.Abort()
		if err := arrive(ctx); err != locks.ErrBroken || !b.Broken() {
			t.Errorf("Wait = %v, Broken = %v after Abort", err, b.Broken())
		}
		want(t, []*waiter{w}, "-")
		settle(ctx)
		want(t, []*waiter{w}, locks.ErrBroken.Error())
		b.Reset()
		w = wait(ctx, arrive)
		b.Reset()
		settle(ctx)
		want(t, []*waiter{w}, locks.ErrBroken.Error())
		w = wait(ctx, arrive)
		check(t, "Wait after Reset", arrive(ctx))
		settle(ctx)
		want(t, []*waiter{w}, "ok")
	})
}
