// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// Every call panics if ctx belongs to no task or to another task. The message contains the
// name of the call.
func TestContextOfAnotherTask(t *testing.T) {
	body := func(ctx context.Context) error { t.Error("the function was called"); return nil }
	result := func(ctx context.Context) (int, error) { return 0, body(ctx) }
	ch := make(chan int, 1)
	calls := map[string]func(ctx context.Context){
		"Sleep":        func(ctx context.Context) { await.Sleep(ctx, time.Second) },
		"Sleep(0)":     func(ctx context.Context) { await.Sleep(ctx, 0) },
		"Forever":      func(ctx context.Context) { await.Forever(ctx) },
		"NewTicker":    func(ctx context.Context) { await.NewTicker(ctx, time.Second) },
		"WithTimeout":  func(ctx context.Context) { await.WithTimeout(ctx, time.Second) },
		"WithDeadline": func(ctx context.Context) { await.WithDeadline(ctx, time.Time{}) },
		"Timeout":      func(ctx context.Context) { await.Timeout(ctx, time.Second, body) },
		"Reschedule":   func(ctx context.Context) { await.Reschedule(ctx, time.Time{}) },
		"All":          func(ctx context.Context) { await.All[int](ctx) },
		"Each": func(ctx context.Context) {
			for range await.Each[int](ctx) {
				t.Error("the range ran a step")
			}
		},
		"First":      func(ctx context.Context) { await.First(ctx, result) },
		"Race.First": func(ctx context.Context) { await.Race[int]{}.First(ctx, result) },
		"Map": func(ctx context.Context) {
			await.Map(ctx, []int{1}, func(ctx context.Context, _ int) (int, error) { return result(ctx) })
		},
		"Blocking": func(ctx context.Context) { await.Blocking(ctx, result) },
		"Abandon":  func(ctx context.Context) { await.Abandon(ctx, result, nil) },
		"Receive":  func(ctx context.Context) { await.Receive(ctx, ch) },
		"Send":     func(ctx context.Context) { await.Send(ctx, ch, 1) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			base, _, _ := strings.Cut(name, "(")
			prefix := "await: " + base + " with "
			panics(t, func() { call(context.Background()) }, prefix+"a context that does not belong to a task")
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				task.Go(ctx, func(own context.Context) error {
					panics(t, func() { call(ctx) }, prefix+"the context of", task.Self(own).String())
					return nil
				})
			})
		})
	}
	if len(ch) != 0 {
		t.Error("Send sent a value")
	}
}

// A nil function panics in the call itself, and not later in a task or on a goroutine.
func TestNilFunction(t *testing.T) {
	result := func(context.Context) (int, error) { return 0, nil }
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for name, call := range map[string]func(){
			"First":    func() { await.First(ctx, result, nil) },
			"Map":      func() { await.Map[int, int](ctx, nil, nil) },
			"Blocking": func() { await.Blocking[int](ctx, nil) },
			"Abandon":  func() { await.Abandon[int](ctx, nil, nil) },
		} {
			panics(t, call, name+" of a nil function")
		}
	})
}
