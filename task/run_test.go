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

// Behaviour 226: Run returns when the tree is empty, with main's error.
func TestRun(t *testing.T) {
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

// A Runner runs several mains on its loop, one after another, whatever became
// of the one before.
func TestRunnerLoop(t *testing.T) {
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

// A cancel of the context that Run was given reaches main, before and meanwhile.
func TestRunCancelled(t *testing.T) {
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

// Stop of the loop under the tasks cancels them.
func TestRunStopped(t *testing.T) {
	err := inVirtual(t, func(ctx context.Context) error {
		task.Loop(ctx).Stop()
		return forever(ctx)
	})
	if !errors.Is(err, task.ErrStopped) {
		t.Errorf("Run = %v", err)
	}
}

// When nothing is left that could wake anybody, Run says who waits for what and
// on whom, on every loop.
func TestDeadlock(t *testing.T) {
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

// What keeps a program from being deadlocked: whatever may still come.
func TestNoDeadlock(t *testing.T) {
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
		t.Error("a hand-over that does not exist")
	}
	t.Setenv("BATON_HANDOFF", "pigeon")
	if panicOf(func() { task.Run(context.Background(), forever) }) == nil {
		t.Error("BATON_HANDOFF=pigeon")
	}
	t.Setenv("BATON_HANDOFF", "coroutine")
	if err := task.Run(context.Background(), task.Yield); err != nil {
		t.Error(err)
	}
}

// A poller that cannot be made is an error of Run.
func TestRunWithoutLoop(t *testing.T) {
	t.Setenv("BATON_POLLER", "pigeon")
	if err := task.Run(context.Background(), task.Yield); err == nil {
		t.Error("Run made a loop of pigeons")
	}
}
