// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// The results are in the order of the items, and at most n calls run at a time.
func TestMapN(t *testing.T) {
	items := []int{5, 1, 4, 2, 3, 9, 7, 8, 6, 0}
	for _, n := range []int{1, 3, 10, 100} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			calls, most := 0, 0
			got, err := await.MapN(ctx, n, items, func(ctx context.Context, i int) (int, error) {
				calls++
				most = max(most, calls)
				err := await.Sleep(ctx, time.Duration(i)*time.Second)
				calls--
				return i * i, err
			})
			check(t, "MapN", err)
			if !slices.Equal(got, []int{25, 1, 16, 4, 9, 81, 49, 64, 36, 0}) || most != min(n, len(items)) {
				t.Errorf("MapN(%d) = %v with %d calls at a time", n, got, most)
			}
		})
	}
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		never := func(context.Context, int) (int, error) { return 0, errBody }
		got, err := await.Map(ctx, nil, never)
		check(t, "Map of nothing", err)
		if len(got) != 0 {
			t.Errorf("Map of nothing = %v", got)
		}
		panics(t, func() { await.MapN(ctx, 0, items, never) }, "MapN with 0 calls at a time")
	})
}

// The first failure cancels the other calls. MapN waits for them and begins no further
// call.
func TestFirstFailureCancelsMap(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began, calls, canceled := task.Now(ctx), 0, 0
		_, err := await.MapN(ctx, 3, make([]int, 10), func(ctx context.Context, _ int) (int, error) {
			if calls++; calls == 2 {
				await.Sleep(ctx, time.Second)
				return 0, errBody
			}
			err := await.Sleep(ctx, time.Hour)
			if errors.Is(err, context.Canceled) {
				canceled++
			}
			return 0, err
		})
		if err != errBody || calls != 3 || canceled != 2 {
			t.Errorf("MapN = %v after %d calls, %d cancelled", err, calls, canceled)
		}
		took(ctx, t, began, time.Second)
	})
}

// A call that returns a cancel has no result, so Map fails. It fails even if the cancel is
// the cancel of the call's own task, which does not fail a scope.
func TestMapFailsWithoutAResult(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		other := after(ctx, time.Hour, 1, nil)
		other.Cancel(nil)
		for name, fn := range map[string]func(ctx context.Context, i int) (int, error){
			"of another task": func(ctx context.Context, _ int) (int, error) { return other.Await(ctx) },
			"of its own": func(ctx context.Context, i int) (int, error) {
				if i == 2 {
					task.Self(ctx).Cancel(nil)
				}
				return i, task.Yield(ctx)
			},
		} {
			got, err := await.Map(ctx, []int{1, 2, 3}, fn)
			if !errors.Is(err, context.Canceled) || got != nil {
				t.Errorf("Map = %v, %v after the cancel %s, want canceled", got, err, name)
			}
		}
	})
}

// A cancel of ctx ends all calls, and Map returns it.
func TestCancelEndsAllCallsOfMap(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
			_, err := await.Map(ctx, []time.Duration{time.Minute, time.Hour}, func(ctx context.Context, d time.Duration) (int, error) {
				return 0, await.Sleep(ctx, d)
			})
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Map = %v, want deadline exceeded", err)
		}
		took(ctx, t, began, time.Second)
	})
}

// A shield around Map holds back a cancel from all calls. A shield inside a call protects
// only that call, and Map waits for it.
func TestMapUnderShield(t *testing.T) {
	cases := []struct {
		name     string
		outside  bool // whether the shield is around Map
		inside   int  // the item whose call has a shield
		finished []int
		took     time.Duration
	}{
		{"around Map", true, 0, []int{1, 2, 3}, 3 * time.Minute},
		{"in a call", false, 3, []int{3}, 3 * time.Minute},
		{"nowhere", false, 0, nil, time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var finished []int
				began := task.Now(ctx)
				timed, release := await.WithTimeout(ctx, time.Second)
				defer release()
				shield := func(ctx context.Context, on bool) (context.Context, context.CancelFunc) {
					if on {
						return task.Shield(ctx, -1)
					}
					return ctx, func() {}
				}
				outer, release := shield(timed, c.outside)
				defer release()
				_, err := await.Map(outer, []int{1, 2, 3}, func(ctx context.Context, i int) (int, error) {
					ctx, release := shield(ctx, i == c.inside)
					defer release()
					err := await.Sleep(ctx, time.Duration(i)*time.Minute)
					if err == nil {
						finished = append(finished, i)
					}
					return i, err
				})
				if (err == nil) != c.outside || !slices.Equal(finished, c.finished) {
					t.Errorf("Map = %v, finished: %v, want %v", err, finished, c.finished)
				}
				took(ctx, t, began, c.took)
			})
		})
	}
}

// Calls that never wait still let other tasks run.
func TestMapLetsOtherTasksRun(t *testing.T) {
	sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
		calls, seen := 0, 0
		task.Go(ctx, func(ctx context.Context) error {
			await.Sleep(ctx, 0)
			seen = calls
			return nil
		})
		_, err := await.MapN(ctx, 1, make([]int, 10_000), func(context.Context, int) (int, error) {
			calls++
			return 0, nil
		})
		check(t, "MapN", err)
		if seen == calls {
			t.Error("another task ran only after all calls")
		}
	})
}
