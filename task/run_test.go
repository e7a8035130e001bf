// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

// Run returns main's error after all tasks have ended.
func TestRunWaitsForTasks(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		ended := false
		err := r.Run(context.Background(), func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				forever(ctx)
				shielded, release := task.Shield(ctx, -1)
				defer release()
				turns(shielded, 3)
				ended = true
				return nil
			})
			turns(ctx, 1)
			return errOops
		})
		if err != errOops || !ended {
			t.Errorf("Run = %v, the task has ended: %v", err, ended)
		}
	})
}

// A Runner runs several main functions on its loop, one after another, whatever the outcome
// of the previous one.
func TestSeveralRunsOnOneLoop(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		r.Loop = newVirtual(t)
		mains := []func(ctx context.Context) error{
			func(ctx context.Context) error { return nil },
			func(ctx context.Context) error { return errOops },
			func(ctx context.Context) error { return forever(ctx) },
			func(ctx context.Context) error { panic(errOops) },
			func(ctx context.Context) error { runtime.Goexit(); return nil },
			func(ctx context.Context) error {
				task.Loop(ctx).CallSoon(runtime.Goexit)
				return forever(ctx)
			},
		}
		for i, main := range mains {
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { recover() }()
				r.Run(context.Background(), main)
			}()
			<-done
			started := r.Loop.Time()
			err := r.Run(context.Background(), func(ctx context.Context) error {
				if id := task.Self(ctx).ID(); id != 1 {
					t.Errorf("main has the number %d", id)
				}
				task.Go(ctx, fails(2, nil))
				return sleep(ctx, time.Second)
			})
			if passed := r.Loop.Time().Sub(started); err != nil || passed != time.Second {
				t.Errorf("after main %d: Run = %v after %v", i, err, passed)
			}
		}
	})
}

// A cancel of Run's context reaches main, before and during the Run.
func TestCancelOfContextOfRun(t *testing.T) {
	for _, when := range []string{"before", "meanwhile"} {
		ctx, cancel := context.WithCancelCause(context.Background())
		began := false
		if when == "before" {
			cancel(errOops)
		}
		err := task.Run(ctx, func(ctx context.Context) error {
			began = true
			go cancel(errOops)
			return forever(ctx)
		})
		if !began || !errors.Is(err, errOops) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Run = %v, began %v", when, err, began)
		}
	}
}

// Stopping the loop cancels the tasks.
func TestStopCancelsTasks(t *testing.T) {
	err := inVirtual(t, func(ctx context.Context) error {
		task.Loop(ctx).Stop()
		return forever(ctx)
	})
	if !errors.Is(err, task.ErrStopped) {
		t.Errorf("Run = %v", err)
	}
}

// If nothing can wake the tasks, Run reports which task waits for what, and for which
// tasks.
func TestDeadlockReportsWaits(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		for name, world := range map[string]loop.Config{"real": {}, "virtual": {Poller: virtual.New(virtual.Config{})}} {
			t.Run(name, func(t *testing.T) {
				r.Loop = newLoop(t, world)
				var first, second *task.Task[int]
				err := r.Run(context.Background(), func(ctx context.Context) error {
					first = task.Start(ctx, func(ctx context.Context) (int, error) { return second.Await(ctx) })
					second = task.Start(ctx, func(ctx context.Context) (int, error) {
						return 0, forever(ctx)
					})
					first.SetName("romeo")
					second.SetName("juliet")
					_, err := first.Await(ctx)
					return err
				})
				var d *task.DeadlockError
				if !errors.As(err, &d) || !errors.Is(err, context.Canceled) || len(d.Waits) != 3 {
					t.Fatalf("Run = %v", err)
				}
				for i, want := range []task.Wait{
					{Reason: "the end of task 2 (romeo)", On: []string{"task 2 (romeo)"}},
					{Task: "task 2 (romeo)", Reason: "the end of task 3 (juliet)", On: []string{"task 3 (juliet)"}},
					{Task: "task 3 (juliet)", Reason: "for ever"},
				} {
					got := d.Waits[i]
					if i > 0 && got.Task != want.Task || got.Reason != want.Reason || strings.Join(got.On, "") != strings.Join(want.On, "") {
						t.Errorf("wait %d = %v, want %v", i, got, want)
					}
					if !strings.Contains(err.Error(), got.String()) {
						t.Errorf("%q does not contain %q", err, got)
					}
				}
			})
		}
	})
}

// Timers, jobs and portals keep a program from being deadlocked.
func TestPendingWorkIsNoDeadlock(t *testing.T) {
	opens := map[string]func(ctx context.Context, wake func()){
		"timer":    func(ctx context.Context, wake func()) { task.Loop(ctx).CallLater(time.Millisecond, wake) },
		"executor": func(ctx context.Context, wake func()) { task.Loop(ctx).RunInExecutor(runtime.Gosched, wake) },
		"portal": func(ctx context.Context, wake func()) {
			p := task.OpenPortal(ctx)
			go func() {
				runtime.Gosched()
				p.Do(func(context.Context) error { wake(); return nil })
			}()
		},
	}
	for name, open := range opens {
		t.Run(name, func(t *testing.T) {
			err := task.Run(context.Background(), func(ctx context.Context) error {
				var f task.Future[int]
				open(ctx, func() { f.Set(1) })
				_, err := f.Await(ctx)
				return err
			})
			if err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
}

func TestHandoffNames(t *testing.T) {
	for h, want := range map[task.Handoff]string{task.AnyHandoff: "any", task.Channel: "channel", task.Coroutine: "coroutine"} {
		if h.String() != want {
			t.Errorf("%d is %q, want %q", h, h, want)
		}
	}
	if panicOf(func() { task.Runner{Handoff: 9}.Run(context.Background(), forever) }) == nil {
		t.Error("Handoff: 9 did not panic")
	}
	t.Setenv("BATON_HANDOFF", "pigeon")
	if panicOf(func() { task.Run(context.Background(), forever) }) == nil {
		t.Error("BATON_HANDOFF=pigeon did not panic")
	}
	t.Setenv("BATON_HANDOFF", "coroutine")
	if err := task.Run(context.Background(), task.Yield); err != nil {
		t.Error(err)
	}
}

// If the poller cannot be made, Run returns an error.
func TestRunWithUnknownPoller(t *testing.T) {
	t.Setenv("BATON_POLLER", "pigeon")
	if err := task.Run(context.Background(), task.Yield); err == nil {
		t.Error("Run with BATON_POLLER=pigeon = nil")
	}
}
