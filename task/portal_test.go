// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"baton/task"
)

// Do returns the error of its function.
func TestPortalDoReturnsError(t *testing.T) {
	tests := []struct {
		name string
		fn   func(ctx context.Context) error
		want error
	}{
		{"value", func(ctx context.Context) error { return task.Yield(ctx) }, nil},
		{"error", func(context.Context) error { return errOops }, errOops},
		{"cancelled", func(ctx context.Context) error {
			task.Self(ctx).Cancel(errOther)
			return forever(ctx)
		}, errOther},
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		p := task.OpenPortal(ctx)
		go func() {
			for _, test := range tests {
				if err := p.Do(test.fn); !errors.Is(err, test.want) || test.want == nil && err != nil {
					t.Errorf("%s: Do = %v, want %v", test.name, err, test.want)
				}
			}
			p.Close()
			p.Close()
			if err := p.Do(tests[0].fn); err != task.ErrClosed {
				t.Errorf("Do of a closed portal = %v", err)
			}
		}()
		for !portalClosed(p) {
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("the scope failed with an error that belongs to a portal call: %v", err)
	}
}

// portalClosed reports whether p is closed. It may be called in a task, where Do would
// panic.
func portalClosed(p *task.Portal) bool {
	c := p.Go(func(context.Context) error { return nil })
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// Calls of many goroutines all arrive, and run one at a time.
func TestPortalFromManyGoroutines(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		counter := 0
		err := r.Run(context.Background(), func(ctx context.Context) error {
			p := task.OpenPortal(ctx)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					for range 20 {
						p.Do(func(ctx context.Context) error {
							was := counter
							err := task.Check(ctx)
							counter = was + 1
							return err
						})
					}
				})
			}
			var done task.Future[int]
			task.Loop(ctx).RunInExecutor(all.Wait, func() { done.Set(0) })
			_, err := done.Await(ctx)
			return err
		})
		if counter != 400 || err != nil {
			t.Errorf("%d calls, %v", counter, err)
		}
	})
}

func TestCancelOfPortalCall(t *testing.T) {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		p := task.OpenPortal(ctx)
		var done task.Future[int]
		go func() {
			early := p.Go(forever)
			early.Cancel(errOops)
			if err := early.Wait(); !errors.Is(err, errOops) {
				t.Errorf("cancelled early: %v", err)
			}
			parked := make(chan bool)
			late := p.Go(func(ctx context.Context) error {
				close(parked)
				return forever(ctx)
			})
			<-parked
			late.Cancel(nil)
			if err := late.Wait(); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled late: %v", err)
			}
			late.Cancel(errOops)
			<-late.Done()
			p.Do(func(context.Context) error { done.Set(0); return nil })
		}()
		_, err := done.Await(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A panic in a portal call fails the scope, and the caller receives it too.
func TestPanicInPortalCall(t *testing.T) {
	result := make(chan error, 1)
	v := panicOf(func() {
		task.Run(context.Background(), func(ctx context.Context) error {
			p := task.OpenPortal(ctx)
			go func() { result <- p.Do(func(context.Context) error { panic(errOops) }) }()
			return forever(ctx)
		})
	})
	var p *task.PanicError
	if err := <-result; !errors.As(err, &p) || v != any(p) {
		t.Errorf("Do = %v, Run panicked with %v", err, v)
	}
}

// A portal is closed when its scope ends, even if a task opened it after the scope's
// function had returned.
func TestPortalEndsWithItsScope(t *testing.T) {
	mustRunOn(t, func(ctx context.Context) {
		var early, late *task.Portal
		task.Scope(ctx, func(ctx context.Context) error {
			early = task.OpenPortal(ctx)
			task.Go(ctx, func(ctx context.Context) error {
				turns(ctx, 2)
				late = task.OpenPortal(ctx)
				return nil
			})
			return nil
		})
		for _, p := range []*task.Portal{early, late} {
			if !portalClosed(p) {
				t.Error("a portal outlives its scope")
			}
		}
	})
	if err := task.Run(context.Background(), func(ctx context.Context) error {
		task.OpenPortal(ctx).Close()
		return forever(ctx)
	}); !errors.As(err, new(*task.DeadlockError)) {
		t.Errorf("a closed portal keeps the loop from being idle: %v", err)
	}
}

// Do and Wait panic in a task or callback, because they would block the loop for which they
// wait.
func TestBlockingPortalCallsPanicInTasks(t *testing.T) {
	mustRunOn(t, func(ctx context.Context) {
		p := task.OpenPortal(ctx)
		defer p.Close()
		ran := false
		do := func() { p.Do(func(context.Context) error { ran = true; return nil }) }
		mustMisuse(t, do, "Portal.Do in a task or callback of", task.Loop(ctx).String())
		task.Loop(ctx).CallSoon(func() { mustMisuse(t, do, "loop ") })
		turns(ctx, 1)
		sleep(ctx, 0) // the loop polls
		turns(ctx, 2)
		if ran {
			t.Error("the function ran although Do panicked")
		}
		c := p.Go(func(context.Context) error { ran = true; return nil })
		mustMisuse(t, func() { c.Wait() }, "Call.Wait in a task or callback of", task.Loop(ctx).String())
		for !ran {
			sleep(ctx, 0)
		}
	})
}
