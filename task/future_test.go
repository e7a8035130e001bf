// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"baton/task"
)

// A future has one result, which can be set once.
func TestFutureIsSetOnce(t *testing.T) {
	var f task.Future[int]
	if _, err := f.Result(); f.Done() || err != task.ErrNotDone {
		t.Errorf("a new future: done %v, %v", f.Done(), err)
	}
	f.Set(1)
	if v, err := f.Result(); !f.Done() || v != 1 || err != nil {
		t.Errorf("Result = %v, %v", v, err)
	}
	if f.TrySet(2) || f.TryFail(errOops) {
		t.Error("a future took a second result")
	}
	for name, again := range map[string]func(){
		"Set":      func() { f.Set(2) },
		"Fail":     func() { f.Fail(errOops) },
		"Fail nil": func() { new(task.Future[int]).Fail(nil) },
	} {
		if panicOf(again) == nil {
			t.Errorf("%s did not panic", name)
		}
	}
	var g task.Future[int]
	g.Fail(errOops)
	if v, err := g.Result(); v != 0 || err != errOops {
		t.Errorf("Result of a failed future = %v, %v", v, err)
	}
}

// All waiting tasks receive the result, in order. Awaiting a result that is already set
// does not switch.
func TestFutureWakesTasksInOrder(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var f task.Future[string]
		var order []int
		for i := range 3 {
			task.Go(ctx, func(ctx context.Context) error {
				v, err := f.Await(ctx)
				if v != "done" || err != nil {
					t.Errorf("Await = %q, %v", v, err)
				}
				order = append(order, i)
				return nil
			})
		}
		turns(ctx, 2)
		f.Set("done")
		f.Await(ctx)
		if len(order) != 0 {
			t.Errorf("Await of a done future switched to %v", order)
		}
		turns(ctx, 2)
		if !slices.Equal(order, []int{0, 1, 2}) {
			t.Errorf("order = %v", order)
		}
		return nil
	})
}

// Callbacks run in order and never at once, even if they are added after the result. A
// callback may remove another one that has not run.
func TestCallbacksOfFutureRunInOrder(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var f task.Future[int]
		var order []int
		var removeThird func() bool
		f.AddDoneCallback(func(*task.Future[int]) { order = append(order, 1) })
		f.AddDoneCallback(func(*task.Future[int]) {
			order = append(order, 2)
			if !removeThird() {
				t.Error("removing the third callback = false")
			}
		})
		removeThird = f.AddDoneCallback(func(*task.Future[int]) { order = append(order, 3) })
		f.AddDoneCallback(func(f *task.Future[int]) {
			v, _ := f.Result()
			order = append(order, v)
		})
		f.Set(4)
		if len(order) != 0 {
			t.Errorf("callbacks ran at once: %v", order)
		}
		turns(ctx, 2)
		f.AddDoneCallback(func(*task.Future[int]) { order = append(order, 5) })
		turns(ctx, 2)
		if want := []int{1, 2, 4, 5}; !slices.Equal(order, want) {
			t.Errorf("order = %v, want %v", order, want)
		}
		return nil
	})
	if panicOf(func() { new(task.Future[int]).AddDoneCallback(func(*task.Future[int]) {}) }) == nil {
		t.Error("AddDoneCallback without a loop did not panic")
	}
}

// Many callbacks run in order, even if many others were removed before.
func TestRemovingManyCallbacksKeepsOrder(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		const many = 40_000
		var f task.Future[int]
		var order, want []int
		var remove []func() bool
		for i := range many {
			remove = append(remove, f.AddDoneCallback(func(*task.Future[int]) { order = append(order, i) }))
		}
		for i := range many {
			if i = i * 7 % many; i%9 == 0 {
				continue
			}
			if !remove[i]() || remove[i]() {
				t.Fatalf("removing callback %d twice did not return true and then false", i)
			}
		}
		for i := 0; i < many; i += 9 {
			want = append(want, i)
		}
		f.Set(1)
		turns(ctx, 2)
		if !slices.Equal(order, want) {
			t.Errorf("%d callbacks ran, want %d in the order of their calls", len(order), len(want))
		}
		return nil
	})
}

// A task that only awaits futures that are set still lets other tasks run.
func TestAwaitOfSetFutureYieldsSometimes(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var f task.Future[int]
		f.Set(1)
		stop := false
		task.Go(ctx, func(context.Context) error { stop = true; return nil })
		for n := 0; !stop; n++ {
			if n > 100_000 {
				t.Fatal("the other task never ran")
			}
			if _, err := f.Await(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAwaitOfSetFutureUnderCancel(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var f task.Future[int]
		f.Set(1)
		waiter := task.Start(ctx, func(ctx context.Context) (int, error) { return f.Await(ctx) })
		waiter.Cancel(errOops)
		if v, err := waiter.Await(ctx); v != 0 || !errors.Is(err, errOops) {
			t.Errorf("Await under a cancel = %v, %v", v, err)
		}
		return nil
	})
}
