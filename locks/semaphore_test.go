// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"testing"

	"baton/locks"
	"baton/sim"
)

// TestSemaphore: as many permits as it says, in the order of coming; newcomers
// come last. Behaviour 204.
func TestSemaphore(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := locks.NewSemaphore(2)
		ws := []*waiter{}
		for range 5 {
			ws = append(ws, wait(ctx, s.Acquire))
		}
		want(t, ws, "ok", "ok", "-", "-", "-")
		if !s.Locked() || s.TryAcquire() {
			t.Error("there is a permit left")
		}
		s.Release()
		s.Release()
		if !s.Locked() || s.TryAcquire() {
			t.Error("a newcomer overtook")
		}
		ws = append(ws, wait(ctx, s.Acquire))
		want(t, ws, "ok", "ok", "ok", "ok", "-", "-")
		ws[4].Cancel(nil)
		s.Release()
		s.Release()
		s.Release()
		settle(ctx)
		want(t, ws, "ok", "ok", "ok", "ok", "cancel", "ok")
		if s.Free() != 2 {
			t.Errorf("Free = %d, want 2", s.Free())
		}
	})
}

// TestSemaphoreMisuse: behaviour 204.
func TestSemaphoreMisuse(t *testing.T) {
	panics(t, func() { locks.NewSemaphore(-1) }, "-1")
	panics(t, func() { locks.NewBoundedSemaphore(-1) }, "-1")

	var zero locks.Semaphore // without a bound
	zero.Release()
	zero.Release()
	if zero.Free() != 2 {
		t.Errorf("Free = %d, want 2", zero.Free())
	}
	for n := range 3 {
		bounded := locks.NewBoundedSemaphore(n)
		panics(t, bounded.Release, "Release")
		if n > 0 && bounded.TryAcquire() {
			bounded.Release()
		}
		panics(t, bounded.Release, "Release")
	}
}
