// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"baton/await"
	"baton/locks"
	"baton/sim"
)

// The tasks of a round pass together, each with a different index.
func TestTasksOfRoundPassTogether(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		const parties, rounds = 3, 4
		b := locks.NewBarrier(parties)
		var passed []int // the round of each task that passed, in order
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

// The last task has index 0. The others count from 1 in the order of their arrival. A task
// that has left does not count.
func TestIndicesFollowArrival(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		b := locks.NewBarrier(3)
		index := make(map[string]int)
		arrive := func(name string) *waiter {
			return wait(ctx, func(ctx context.Context) error {
				i, err := b.Wait(ctx)
				if err == nil {
					index[name] = i
				}
				return err
			})
		}
		a := arrive("a")
		rest := []*waiter{arrive("b")}
		a.Cancel(nil)
		a.Await(ctx)
		rest = append(rest, arrive("c"), arrive("d"))
		for _, w := range rest {
			w.Await(ctx)
		}
		if want := map[string]int{"b": 1, "c": 2, "d": 0}; !maps.Equal(index, want) {
			t.Errorf("indices %v, want %v", index, want)
		}
	})
}

func TestLastPartyDoesNotWait(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		b := locks.NewBarrier(3)
		indices := make([]int, 2)
		var ws []*waiter
		for i := range indices {
			ws = append(ws, wait(ctx, func(ctx context.Context) (err error) {
				indices[i], err = b.Wait(ctx)
				return err
			}))
		}
		if b.Waiting() != 2 || b.Parties() != 3 {
			t.Errorf("%d of %d wait, want 2 of 3", b.Waiting(), b.Parties())
		}
		i, err := b.Wait(ctx)
		check(t, "Wait", err)
		if i != 0 || b.Waiting() != 0 {
			t.Errorf("the last party got index %d and %d wait, want 0 and 0", i, b.Waiting())
		}
		settle(ctx)
		want(t, ws, "ok", "ok")
		if !slices.Equal(indices, []int{1, 2}) {
			t.Errorf("the other parties got %v, want 1 and 2", indices)
		}
	})
}

// Two of three tasks wait, and then several calls follow before any of the tasks runs. A
// cancelled task leaves the round at once and does not break the barrier. Once a round has
// passed or broken, a cancel, Reset or Abort does not change its result.
func TestBarrierRaces(t *testing.T) {
	const broken = "locks: barrier broken"
	type play struct {
		ctx    context.Context
		b      *locks.Barrier
		first  *waiter
		arrive func(ctx context.Context) error
	}
	cancel := func(p play) { p.first.Cancel(nil) }
	complete := func(p play) { p.arrive(p.ctx) } // the third party does not wait
	reset := func(p play) { p.b.Reset() }
	abort := func(p play) { p.b.Abort() }
	cases := []struct {
		name    string
		steps   []func(play)
		waiting int // right after the steps
		states  []string
		broken  bool
	}{
		{"cancel", []func(play){cancel}, 1, []string{"cancel", "-"}, false},
		{"cancel twice", []func(play){cancel, cancel}, 1, []string{"cancel", "-"}, false},
		{"complete, cancel", []func(play){complete, cancel}, 0, []string{"ok", "ok"}, false},
		{"complete, reset", []func(play){complete, reset}, 0, []string{"ok", "ok"}, false},
		{"complete, abort", []func(play){complete, abort}, 0, []string{"ok", "ok"}, true},
		{"cancel, reset", []func(play){cancel, reset}, 0, []string{"cancel", broken}, false},
		{"reset, cancel", []func(play){reset, cancel}, 0, []string{broken, broken}, false},
		{"cancel, abort", []func(play){cancel, abort}, 0, []string{"cancel", broken}, true},
		{"abort, cancel", []func(play){abort, cancel}, 0, []string{broken, broken}, true},
		{"abort, reset, cancel", []func(play){abort, reset, cancel}, 0, []string{broken, broken}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				b := locks.NewBarrier(3)
				arrive := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
				ws := []*waiter{wait(ctx, arrive), wait(ctx, arrive)}
				for _, step := range c.steps {
					step(play{ctx, b, ws[0], arrive})
				}
				if b.Waiting() != c.waiting || b.Broken() != c.broken {
					t.Errorf("Waiting = %d, Broken = %v, want %d, %v", b.Waiting(), b.Broken(), c.waiting, c.broken)
				}
				settle(ctx)
				want(t, ws, c.states...)
				b.Reset() // the next round works
				settle(ctx)
				ws = []*waiter{wait(ctx, arrive), wait(ctx, arrive)}
				check(t, "Wait", arrive(ctx))
				settle(ctx)
				want(t, ws, "ok", "ok")
			})
		})
	}
}

func TestAbortAndReset(t *testing.T) {
	panics(t, func() { locks.NewBarrier(0) }, "0 parties")
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		if index, err := locks.NewBarrier(1).Wait(ctx); index != 0 || err != nil {
			t.Errorf("Wait of the only party = %d, %v", index, err)
		}
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
