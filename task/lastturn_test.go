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

// Callbacks that main's last step queued run in one more turn, which waits for nothing.
// Callbacks that they add run in the loop's next Run, if there is one. Stopping the loop
// changes neither.
func TestCallbacksOfLastStepRun(t *testing.T) {
	stops := map[string]func(l *loop.Loop){
		"":                    func(*loop.Loop) {},
		", stopped by main":   func(l *loop.Loop) { l.Stop() },
		", stopped by both":   func(l *loop.Loop) { l.CallSoon(l.Stop); l.Stop() },
		", stopped by itself": func(l *loop.Loop) { l.CallSoon(l.Stop) },
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		for _, own := range []bool{true, false} {
			for name, stop := range stops {
				t.Run(map[bool]string{true: "own loop", false: "given loop"}[own]+name, func(t *testing.T) {
					r := r
					if !own {
						r.Loop = newLoop(t, loop.Config{})
					}
					var ran []string
					add := func(what string) { ran = append(ran, what) }
					err := r.Run(context.Background(), func(ctx context.Context) error {
						l := task.Loop(ctx)
						l.CallLater(time.Hour, func() {}) // Run must not wait for this
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
						t.Errorf("the next Run = %v and ran %q, want one callback", err, ran[3:])
					}
				})
			}
		}
	})
}

// Callbacks that call Goexit do not keep later callbacks from running, in the last turn and
// before it. All tasks and goroutines end, and the loop can be used for another Run.
func TestGoexitInCallbackLosesNoCallback(t *testing.T) {
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
