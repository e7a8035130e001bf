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

// Callbacks that end their goroutine take nothing from those behind them, in the
// last turn and before it, however many they are: the tasks end, the goroutines
// too, and nothing is left on the loop that would disturb its next Run.
func TestGoexitInCallbacks(t *testing.T) {
	mains := map[string]func(ctx context.Context, add func(func())) error{
		"last turn": func(ctx context.Context, add func(func())) error {
			add(runtime.Goexit)
			return nil
		},
		"before": func(ctx context.Context, add func(func())) error {
			add(runtime.Goexit)
			return forever(ctx)
		},
		"while it cleans up": func(ctx context.Context, add func(func())) error {
			add(runtime.Goexit)
			err := forever(ctx)
			shielded, release := task.Shield(ctx, -1)
			defer release()
			add(runtime.Goexit)
			sleep(shielded, time.Second)
			add(runtime.Goexit)
			return err
		},
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		for name, main := range mains {
			t.Run(name, func(t *testing.T) {
				r.Loop = newVirtual(t)
				added, ran, returned := 0, 0, false
				done := make(chan struct{})
				go func() {
					defer close(done)
					r.Run(context.Background(), func(ctx context.Context) error {
						return main(ctx, func(fn func()) {
							for range 3 {
								added += 2
								task.Loop(ctx).CallSoon(func() { ran++; fn() })
								task.Loop(ctx).CallSoon(func() { ran++ })
							}
						})
					})
					returned = true
				}()
				<-done
				if ran != added || returned {
					t.Errorf("%d of %d callbacks ran; Run returned: %v", ran, added, returned)
				}
				if err := r.Run(context.Background(), func(ctx context.Context) error { return turns(ctx, 3) }); err != nil {
					t.Errorf("the next Run = %v", err)
				}
			})
		}
	})
}
