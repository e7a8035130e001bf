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

// Permits go to tasks in the order of their arrival. A newcomer does not overtake.
func TestSemaphoreServesInOrder(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := locks.NewSemaphore(2)
		ws := []*waiter{}
		for range 5 {
			ws = append(ws, wait(ctx, s.Acquire))
		}
		want(t, ws, "ok", "ok", "-", "-", "-")
		if !s.Locked() || s.TryAcquire() {
			t.Error("a permit is left")
		}
		s.Release()
		s.Release()
		if !s.Locked() || s.TryAcquire() {
			t.Error("a newcomer overtook a waiting task")
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

// Several tasks arrive, so that some wait. Then releases, cancels and arrivals follow
// before any task runs. Each permit goes to the task that has waited longest and was not
// cancelled before. No permit is lost or created.
func TestSemaphoreRaces(t *testing.T) {
	cases := []struct {
		name    string
		permits int
		tasks   int
		script  string // r: Release, 0-9: cancel that task, +: another task calls Acquire, ?: TryAcquire
		states  string // of all tasks; i: has a permit, w: waits, c: was cancelled
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
		{"no task waits", 3, 2, "r?", "ii", 1},
		{"no permits to begin with", 0, 3, "1rr", "ici", 0},
	}
	letters := strings.NewReplacer("i", "ok ", "w", "- ", "c", "cancel ")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
				s := locks.NewSemaphore(c.permits)
				var ws []*waiter
				for range c.tasks {
					ws = append(ws, wait(ctx, s.Acquire))
				}
				for _, step := range []byte(c.script) {
					switch step {
					case 'r':
						s.Release()
					case '+':
						ws = append(ws, begin(ctx, s.Acquire))
					case '?':
						s.TryAcquire() // a wrong success changes Free or the states
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

// At most three tasks are inside at a time, even if tasks are cancelled. At the end all
// three permits are free.
func TestCancelsLoseNoPermit(t *testing.T) {
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
					t.Errorf("at most %d tasks were inside and %d permits are free, want %d", most, s.Free(), permits)
				}
			})
		})
	}
}

// A bounded semaphore panics if it is released too often, and a negative number of permits
// panics. A semaphore without a bound accepts any number of releases.
func TestBoundedSemaphorePanicsAtTheBound(t *testing.T) {
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
