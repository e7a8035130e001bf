// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"baton/await"
	"baton/task"
)

// An iterator may have a scope or a timeout around its yield. In a range of the task, the
// block is nested like a call. With iter.Pull, the iterator runs on another goroutine: that
// panics and leaves nothing behind.
func TestIteratorAroundBlock(t *testing.T) {
	blocks := map[string]func(ctx context.Context, fn func(ctx context.Context) error) error{
		"Scope": task.Scope,
		"Timeout": func(ctx context.Context, fn func(ctx context.Context) error) error {
			return await.Timeout(ctx, time.Hour, fn)
		},
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		for name, block := range blocks {
			t.Run(name, func(t *testing.T) {
				r.Loop = newVirtual(t)
				err := r.Run(context.Background(), func(ctx context.Context) error {
					var outcome error
					numbers := func(yield func(int) bool) {
						outcome = block(ctx, func(ctx context.Context) error {
							for i := 0; yield(i); i++ {
								if err := sleep(ctx, time.Second); err != nil {
									return err
								}
							}
							return errOops
						})
					}
					sum := 0
					for i := range numbers {
						if sum += i; i == 3 {
							break
						}
						task.Yield(ctx)
					}
					if sum != 6 || outcome != errOops {
						t.Errorf("the sum is %d and the block returned %v, want 6 and %v", sum, outcome, errOops)
					}
					next, stop := iter.Pull(iter.Seq[int](numbers))
					mustMisuse(t, func() { next() }, "the context of task 1", "from a goroutine that is not this task", "use a Portal")
					stop()
					if _, left := task.Loop(ctx).NextDeadline(); left {
						t.Error("a timer is left")
					}
					return turns(ctx, 3)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// A deadline may be released by another task, or before an inner deadline. The release ends
// only what is under the deadline.
func TestReleaseOutOfOrder(t *testing.T) {
	releases := map[string]func(ctx context.Context, release func()){
		"by itself": func(_ context.Context, release func()) { release() },
		"by another task": func(ctx context.Context, release func()) {
			task.Go(ctx, func(context.Context) error { release(); return nil })
			task.Yield(ctx)
		},
		"by a goroutine": func(ctx context.Context, release func()) {
			done := make(chan struct{})
			go func() { release(); close(done) }()
			<-done
			sleep(ctx, 1) // the release takes effect in the next poll
		},
	}
	for name, how := range releases {
		t.Run(name, func(t *testing.T) {
			mustRun(t, func(ctx context.Context) error {
				hour := task.Now(ctx).Add(time.Hour)
				outermost, releaseOutermost := await.WithDeadline(ctx, hour)
				outer, releaseOuter := await.WithDeadline(outermost, hour)
				inner, releaseInner := await.WithDeadline(outer, hour)
				waiter := task.Start(inner, func(ctx context.Context) (int, error) { return 0, forever(ctx) })
				task.Yield(ctx)
				how(ctx, releaseOuter)
				for _, ended := range []context.Context{outer, inner} {
					if err := task.Check(ended); !errors.Is(err, context.Canceled) {
						t.Errorf("Check under the released deadline = %v, want canceled", err)
					}
				}
				if err := task.Check(outermost); err != nil {
					t.Errorf("Check outside the released deadline = %v, want nil", err)
				}
				if _, err := waiter.Await(ctx); !errors.Is(err, context.Canceled) || hasPassed(outer) || hasPassed(inner) {
					t.Errorf("Await of a task under the released deadline = %v", err)
				}
				releaseOutermost()
				releaseInner()
				releaseOuter()
				if _, left := task.Loop(ctx).NextDeadline(); left {
					t.Error("a timer is left")
				}
				return turns(ctx, 3)
			})
		})
	}
}
