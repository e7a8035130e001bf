// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/sim"
	"baton/task"
)

// The capacity can change while tokens are lent.
func TestCapacityChangesWhileTokensAreLent(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		l := locks.NewLimiter(1)
		ws := []*waiter{}
		for i := range 6 {
			ws = append(ws, wait(ctx, func(ctx context.Context) error { return l.AcquireFor(ctx, i) }))
		}
		want(t, ws, "ok", "-", "-", "-", "-", "-")
		l.SetCapacity(3)
		settle(ctx)
		want(t, ws, "ok", "ok", "ok", "-", "-", "-")
		l.SetCapacity(1)
		l.ReleaseFor(0)
		l.ReleaseFor(1)
		settle(ctx)
		want(t, ws, "ok", "ok", "ok", "-", "-", "-")
		if s := l.Stats(); s.Capacity != 1 || s.Lent != 1 || s.Waiting != 3 || !slices.Equal(s.Borrowers, []any{2}) {
			t.Errorf("Stats = %+v", s)
		}
		ws[3].Cancel(nil)
		l.ReleaseFor(2)
		settle(ctx)
		want(t, ws, "ok", "ok", "ok", "cancel", "ok", "-")
		l.SetCapacity(0)
		l.ReleaseFor(4)
		settle(ctx)
		want(t, ws, "ok", "ok", "ok", "cancel", "ok", "-")
		l.SetCapacity(2)
		settle(ctx)
		want(t, ws, "ok", "ok", "ok", "cancel", "ok", "ok")
		if !l.TryAcquireFor(3) || l.TryAcquireFor("one more") {
			t.Error("the limiter does not have exactly one free token")
		}
	})
}

// The zero value is a limiter without tokens, like NewLimiter(0).
func TestZeroValueOfLimiter(t *testing.T) {
	limiters := map[string]func() *locks.Limiter{
		"zero value":    func() *locks.Limiter { return &locks.Limiter{} },
		"NewLimiter(0)": func() *locks.Limiter { return locks.NewLimiter(0) },
	}
	for name, make := range limiters {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				l := make()
				if s := l.Stats(); s.Capacity != 0 || s.Lent != 0 || s.Waiting != 0 || s.Borrowers != nil {
					t.Errorf("Stats = %+v", s)
				}
				if l.TryAcquire(ctx) || l.TryAcquireFor("guest") {
					t.Error("a limiter without tokens lent a token")
				}
				panics(t, func() { l.Release(ctx) }, "no token")
				panics(t, func() { l.SetCapacity(-1) }, "-1")
				panics(t, func() { l.TryAcquireFor([]int{1}) }, "unhashable")

				ws := []*waiter{wait(ctx, l.Acquire), wait(ctx, l.Acquire), wait(ctx, l.Acquire)}
				ws[0].Cancel(nil)
				settle(ctx)
				want(t, ws, "cancel", "-", "-")
				l.SetCapacity(1)
				settle(ctx)
				want(t, ws, "cancel", "ok", "-")
				l.SetCapacity(3)
				settle(ctx)
				want(t, ws, "cancel", "ok", "ok")
				if s := l.Stats(); s.Lent != 2 || !l.TryAcquire(ctx) || l.TryAcquireFor("guest") {
					t.Errorf("Stats = %+v, or not exactly one free token", s)
				}
				l.Release(ctx)
			})
		})
	}
	var first locks.Limiter // its first call is SetCapacity
	first.SetCapacity(1)
	if !first.TryAcquireFor("guest") || first.TryAcquireFor("another") {
		t.Error("the limiter does not have exactly one token")
	}
	first.ReleaseFor("guest")
}

// Panics and reports name the borrowers.
func TestLimiterNamesBorrowers(t *testing.T) {
	panics(t, func() { locks.NewLimiter(-1) }, "-1")
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		self := task.Self(ctx).String()
		l := locks.NewLimiter(1)
		panics(t, func() { l.Release(ctx) }, self)
		check(t, "Acquire", l.Acquire(ctx))
		panics(t, func() { l.Acquire(ctx) }, self, "already")
		panics(t, func() { l.TryAcquire(ctx) }, self, "already")
		panics(t, func() { l.ReleaseFor("stranger") }, "stranger")

		w := wait(ctx, func(ctx context.Context) error { return l.AcquireFor(ctx, "guest") })
		panics(t, func() { l.AcquireFor(ctx, "guest") }, "guest", "waits")
		report, ok := w.Waiting()
		if !ok || !slices.Equal(report.On, []string{self}) || !strings.Contains(report.Reason, "limiter") {
			t.Errorf("the wait is reported as %v", report)
		}
		l.Release(ctx)
		w.Cancel(nil)         // too late: the task already has the token
		l.ReleaseFor("guest") // works even before the task runs
		settle(ctx)
		want(t, []*waiter{w}, "ok")
	})
}

// At most capacity tasks are inside at a time, and no token is lost.
func TestCancelsLoseNoToken(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		const capacity = 3
		l, inside := locks.NewLimiter(capacity), 0
		draw := task.Loop(ctx).Rand()
		_, err := await.Map(ctx, make([]int, 50), func(ctx context.Context, _ int) (int, error) {
			timed, release := await.WithTimeout(ctx, time.Duration(draw.IntN(30))*time.Millisecond)
			defer release()
			if l.Acquire(timed) != nil {
				return 0, nil
			}
			defer l.Release(ctx)
			if inside++; inside > capacity {
				t.Errorf("%d tasks inside, want at most %d", inside, capacity)
			}
			await.Sleep(timed, time.Duration(draw.IntN(5))*time.Millisecond)
			inside--
			return 0, nil
		})
		check(t, "Map", err)
		if s := l.Stats(); s.Lent != 0 || len(s.Borrowers) != 0 {
			t.Errorf("Stats = %+v at the end", s)
		}
	})
}
