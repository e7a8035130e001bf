// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
	"weak"

	"baton/await"
	"baton/loop"
	"baton/task"
)

// shieldOften makes shields of every kind, and releases them out of order.
func shieldOften(ctx context.Context) error {
	for _, bound := range []time.Duration{0, time.Millisecond, -1} {
		shielded, release := task.Shield(ctx, bound)
		nested, releaseNested := task.Shield(shielded, time.Second)
		if err := sleep(nested, time.Microsecond); err != nil {
			return err
		}
		release()
		releaseNested()
	}
	return nil
}

// shieldAndCancel makes nineteen shields in scopes that are cancelled in different ways.
func shieldAndCancel(ctx context.Context) error {
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	return errors.Join(
		task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { forever(ctx); return shieldOften(ctx) })
			task.Yield(ctx)
			task.ScopeOf(ctx).Cancel(nil)
			return shieldOften(ctx)
		}),
		task.Scope(derived, func(ctx context.Context) error {
			shielded, release := task.Shield(derived, time.Second)
			defer release()
			cancel()
			if err := forever(shielded); !errors.Is(err, context.Canceled) {
				return err
			}
			return shieldOften(derived)
		}))
}

// Many shields and cancels in one long-lived task leave no context, no timer and no
// external source behind.
func TestManyShieldsAndCancelsLeaveNothing(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		l := task.Loop(ctx)
		settle := func() { // standard contexts report their cancels late, through the mailbox
			for i := 0; i < 10_000 && !l.Idle(); i++ {
				runtime.Gosched()
				sleep(ctx, 1)
			}
		}
		heap := func() uint64 {
			for range 3 { // a collection lets the reporting goroutines run
				runtime.GC()
				settle()
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		for range 100 {
			if err := shieldAndCancel(ctx); err != nil {
				return err
			}
		}
		before := heap()
		for range 1000 {
			if err := shieldAndCancel(ctx); err != nil {
				return err
			}
		}
		// A shield is more than 300 bytes, and a round makes nineteen.
		if after := heap(); after > before+1_000_000 {
			t.Errorf("the heap grew from %d to %d", before, after)
		}
		settle()
		if !l.Idle() {
			when, ok := l.NextDeadline()
			t.Errorf("a timer (%v, for %v) or an external source is left", ok, when)
		}
		if all := task.Tasks(ctx); len(all) != 1 {
			t.Errorf("the tasks are %v, want only main", all)
		}
		return nil
	})
}

// A mark is a value whose collection the test checks.
type mark struct{ name string }

func (m *mark) Error() string { return m.name }

// After tasks, contexts, cancels and errors have ended, they can be collected while their
// scope goes on.
func TestEndedTasksAreCollectable(t *testing.T) {
	type key struct{}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		r.Loop = newLoop(t, loop.Config{}) // with a watchdog, which also refers to tasks
		err := r.Run(context.Background(), func(ctx context.Context) error {
			gone := map[string]func() bool{}
			watch := func(m *mark) *mark {
				w := weak.Make(m)
				gone[m.name] = func() bool { return w.Value() == nil }
				return m
			}
			func() {
				value := context.WithValue(ctx, key{}, watch(&mark{"value of a task"}))
				ended := task.Start(value, func(ctx context.Context) (int, error) { return 0, watch(&mark{"error of a task"}) })
				left := task.Go(value, func(ctx context.Context) error { forever(ctx); return nil })
				w := weak.Make(ended)
				gone["task"] = func() bool { return w.Value() == nil }
				if _, err := ended.Await(ctx); err == nil {
					t.Error("the task did not fail")
				}
				left.Cancel(watch(&mark{"cause of a cancel"}))
				task.Scope(context.WithValue(ctx, key{}, watch(&mark{"value of a scope"})), func(ctx context.Context) error {
					task.Go(ctx, func(ctx context.Context) error {
						err := forever(ctx)
						var c *task.Canceled
						if errors.As(err, &c) {
							w := weak.Make(c)
							gone["cancel"] = func() bool { return w.Value() == nil }
						}
						return err
					})
					turns(ctx, 2)
					return watch(&mark{"error of a scope"})
				})
				func() {
					ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
					defer release()
					task.Yield(context.WithValue(ctx, key{}, watch(&mark{"value of a deadline"})))
				}()
				func() { // the last wait
					task.Scope(ctx, func(ctx context.Context) error {
						task.Go(ctx, fails(2, watch(&mark{"cause of the end of a wait"})))
						forever(ctx)
						return nil
					})
				}()
			}()
			if err := turns(ctx, 3); err != nil {
				return err
			}
			for range 20 {
				runtime.GC()
			}
			for name, gone := range gone {
				if !gone() {
					t.Errorf("the %s is kept alive", name)
				}
			}
			if len(gone) != 9 {
				t.Errorf("the test checked %d values, want 9", len(gone))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A loop that is used for several Runs keeps nothing of an ended Run alive.
func TestEndedRunIsCollectable(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		r.Loop = newLoop(t, loop.Config{})
		var root weak.Pointer[task.Ref]
		err := r.Run(context.Background(), func(ctx context.Context) error {
			root = weak.Make(task.Self(ctx))
			task.Go(ctx, fails(3, nil))
			return turns(ctx, 1)
		})
		for range 20 {
			runtime.GC()
		}
		if err != nil || root.Value() != nil {
			t.Errorf("Run = %v; its main task is kept alive: %v", err, root.Value() != nil)
		}
		runtime.KeepAlive(r.Loop)
	})
}

// A long-lived task that runs one scope after another, like a supervisor, does not keep
// panics that it has reported.
func TestReportedPanicsAreDropped(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		task.Loop(ctx).SetExceptionHandler(func(*loop.Loop, loop.Exception) {})
		var panics []weak.Pointer[task.PanicError]
		for range 100 {
			err := task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(context.Context) error { panic(errOops) })
				return nil
			})
			var p *task.PanicError
			if !errors.As(err, &p) {
				t.Fatalf("Scope = %v", err)
			}
			p.Report(ctx)
			task.Yield(ctx)
			panics = append(panics, weak.Make(p))
		}
		runtime.GC()
		kept := 0
		for _, p := range panics {
			if p.Value() != nil {
				kept++
			}
		}
		if kept > 4 {
			t.Errorf("%d of %d panics are kept", kept, len(panics))
		}
		return nil
	})
}
