// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/sim"
	"baton/task"
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

// TestSemaphoreRaces: releases, cancels and newcomers in the same moment, after
// so many have come that some wait. A permit goes to whoever has waited longest
// and was not cancelled before; none is lost and none is made. Behaviour 204.
func TestSemaphoreRaces(t *testing.T) {
	cases := []struct {
		name    string
		permits int
		come    int
		script  string // r: release, 0-9: cancel that one, +: another one comes, ?: one tries
		states  string // of all that came; i: is in, w: waits, c: cancelled
		free    int
	}{
		{"one by one", 1, 4, "r", "iiww", 0},
		{"several at once", 1, 4, "rr", "iiiw", 0},
		{"all at once, and one more", 1, 3, "rrr", "iii", 1},
		{"a newcomer comes last", 1, 3, "r+", "iiww", 0},
		{"a newcomer does not overtake", 2, 3, "r?+", "iiiw", 0},
		{"two newcomers", 1, 2, "r++r", "iiiw", 0},
		{"the first is cancelled, then released", 1, 3, "1r", "ici", 0},
		{"released, then the first is cancelled", 1, 3, "r1", "iiw", 0},
		{"all are cancelled, then released", 1, 4, "123r", "iccc", 1},
		{"released between cancels", 1, 4, "1r3r", "icic", 1},
		{"cancelled between releases", 2, 5, "r3r", "iiici", 0},
		{"cancelled twice", 1, 3, "11r", "ici", 0},
		{"cancelled, and a newcomer", 1, 2, "1+r", "ici", 0},
		{"nobody waits", 3, 2, "r?", "ii", 1},
		{"no permits to begin with", 0, 3, "1rr", "ici", 0},
	}
	letters := strings.NewReplacer("i", "ok ", "w", "- ", "c", "cancel ")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
				s := locks.NewSemaphore(c.permits)
				var ws []*waiter
				for range c.come {
					ws = append(ws, wait(ctx, s.Acquire))
				}
				for _, step := range []byte(c.script) {
					switch step {
					case 'r':
						s.Release()
					case '+':
						ws = append(ws, begin(ctx, s.Acquire))
					case '?':
						s.TryAcquire() // shows in Free, or takes what is a waiter's
					default:
						ws[step-'0'].Cancel(nil)
					}
				}
				settle(ctx)
				want(t, ws, strings.Fields(letters.Replace(c.states))...)
				if s.Free() != c.free {
					t.Errorf("Free = %d, want %d", s.Free(), c.free)
				}
				for range ws {
					s.Release()
				}
			})
		})
	}
}

// TestSemaphoreStress: whatever is cancelled, never more than three inside, and
// in the end all three permits are back. Behaviour 204.
func TestSemaphoreStress(t *testing.T) {
	const permits = 3
	for name, make := range map[string]func(int) *locks.Semaphore{
		"Semaphore": locks.NewSemaphore, "BoundedSemaphore": locks.NewBoundedSemaphore,
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s, inside, most := make(permits), 0, 0
				draw := task.Loop(ctx).Rand()
				_, err := await.Map(ctx, []int{60: 0}, func(ctx context.Context, _ int) (int, error) {
					timed, release := await.WithTimeout(ctx, time.Duration(draw.IntN(30))*time.Millisecond)
					defer release()
					if s.Acquire(timed) != nil {
						return 0, nil
					}
					defer s.Release()
					inside++
					most = max(most, inside)
					await.Sleep(timed, time.Duration(draw.IntN(5))*time.Millisecond)
					inside--
					return 0, nil
				})
				check(t, "Map", err)
				if most != permits || s.Free() != permits {
					t.Errorf("%d were inside at a time, %d permits are left, want %d", most, s.Free(), permits)
				}
			})
		})
	}
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
