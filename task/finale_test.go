// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"baton/loop"
	"baton/task"
)

// Behaviours 16, 134: what main's last step has queued still runs, in one turn
// that waits for nothing; what that adds is left to the loop's next run, if there
// is one. To stop the loop meanwhile changes neither.
func TestLastCallbacks(t *testing.T) {
	stops := map[string]func(l *loop.Loop){
		"":                    func(*loop.Loop) {},
		", stopped by main":   func(l *loop.Loop) { l.Stop() },
		", stopped by both":   func(l *loop.Loop) { l.CallSoon(l.Stop); l.Stop() },
		", stopped by itself": func(l *loop.Loop) { l.CallSoon(l.Stop) },
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		for _, own := range []bool{true, false} {
			for name, stop := range stops {
				t.Run(map[bool]string{true: "own loop", false: "brought"}[own]+name, func(t *testing.T) {
					r := r
					if !own {
						r.Loop = newLoop(t, loop.Config{})
					}
					var ran []string
					add := func(what string) { ran = append(ran, what) }
					err := r.Run(context.Background(), func(ctx context.Context) error {
						l := task.Loop(ctx)
						l.CallLater(time.Hour, func() {}) // nobody may wait for it
						task.Self(ctx).AddDoneCallback(func(*task.Ref) { add("main") })
						turns(ctx, 3)
						stop(l)
						var f task.Future[int]
						f.AddDoneCallback(func(*task.Future[int]) { add("future") })
						f.Set(1)
						l.CallSoon(func() {
							add("soon")
							l.CallSoon(func() { add("later") })
						})
						return nil
					})
					if want := []string{"future", "soon", "main"}; !slices.Equal(ran, want) || err != nil {
						t.Errorf("Run = %v and ran %q, want %q", err, ran, want)
					}
					if own {
						return
					}
					err = r.Run(context.Background(), func(ctx context.Context) error { return turns(ctx, 5) })
					if len(ran) != 4 || err != nil {
						t.Errorf("the next Run = %v, and ran %q besides", err, ran[3:])
					}
				})
			}
		}
	})
}

// A callback of the last turn that ends its goroutine takes nothing from those
// behind it.
func TestGoexitInLastCallback(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		r.Loop = newVirtual(t)
		ran, returned := false, false
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(context.Background(), func(ctx context.Context) error {
				task.Loop(ctx).CallSoon(runtime.Goexit)
				task.Loop(ctx).CallSoon(func() { ran = true })
				return nil
			})
			returned = true
		}()
		<-done
		if !ran || returned {
			t.Errorf("the callback ran: %v; Run returned: %v", ran, returned)
		}
	})
}
