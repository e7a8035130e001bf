// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"bytes"
	"context"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/loop"
	"baton/task"
)

// hold keeps the baton until the watchdog reports its step, and checks the report. On a
// slow machine there may be reports of other steps.
func hold(t *testing.T, reports <-chan loop.SlowStep, name string) {
	var seen []string
	late := time.After(time.Minute)
	for {
		select {
		case <-late:
			t.Errorf("no report names %q, only %q", name, seen)
			return
		case s := <-reports:
			if seen = append(seen, s.Step); s.Step != name || s.Stack == nil {
				continue
			}
			if !bytes.Contains(s.Stack, []byte("TestSlowStepNamesTask")) || goroutines(s) != 1 {
				t.Errorf("the report does not show the stack of the holder alone:\n%v", s)
			}
			if name != "" && !strings.Contains(s.String(), name) {
				t.Errorf("the report does not name %s:\n%v", name, s)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}

// goroutines counts the goroutines of loops that a report shows.
func goroutines(s loop.SlowStep) int {
	return bytes.Count(s.Stack, []byte("relay.(*Worker).main(")) + bytes.Count(s.Stack, []byte("loop.(*Loop).run("))
}

// A report of the watchdog names the task that holds the baton and shows only its stack.
// That holds for the first step of the task, for a later one, and for the first step on a
// reused goroutine. A callback has no name.
func TestSlowStepNamesTask(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		reports := make(chan loop.SlowStep, 100)
		r.Loop = newLoop(t, loop.Config{
			SlowStep: 20 * time.Millisecond,
			OnSlow:   func(s loop.SlowStep) { reports <- s },
		})
		hold := func(name string) { hold(t, reports, name) }
		err := r.Run(context.Background(), func(ctx context.Context) error {
			var others task.WaitQueue
			for range 3 {
				task.Go(ctx, func(ctx context.Context) error { return others.Wait(ctx, task.Text("the end")) })
			}
			task.Go(ctx, func(ctx context.Context) error { return sleep(ctx, time.Hour) }).SetName("sleeper")
			turns(ctx, 2)
			culprit := func(ctx context.Context) (int, error) {
				r := task.Self(ctx)
				r.SetName("culprit")
				hold(r.String())
				turns(ctx, 2)
				hold(r.String())
				return 0, nil
			}
			for range 2 { // the second task runs on the goroutine of the first
				if _, err := task.Start(ctx, culprit).Await(ctx); err != nil {
					return err
				}
			}
			var called task.Future[int]
			task.Loop(ctx).CallSoon(func() {
				hold("")
				called.Set(1)
			})
			called.Await(ctx)
			hold(task.Self(ctx).String())
			task.ScopeOf(ctx).Cancel(nil)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// reported runs main on its own loop with a watchdog. report, which main receives, holds
// the baton until a report shows the stack of the calling task. On a slow machine there may
// be reports of other tasks.
func reported(t *testing.T, r task.Runner, ctx context.Context,
	main func(ctx context.Context, report func(ctx context.Context) loop.SlowStep) error) {
	reports := make(chan loop.SlowStep, 100)
	r.Loop = newLoop(t, loop.Config{
		SlowStep: 20 * time.Millisecond,
		OnSlow:   func(s loop.SlowStep) { reports <- s },
	})
	err := r.Run(ctx, func(ctx context.Context) error {
		return main(ctx, func(ctx context.Context) loop.SlowStep {
			late := time.After(time.Minute)
			for {
				select {
				case <-late:
					t.Error("no report shows the stack")
					return loop.SlowStep{}
				case s := <-reports:
					if s.Step == task.Self(ctx).String() && s.Stack != nil {
						return s
					}
				default:
					runtime.Gosched()
				}
			}
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// If tasks of two loops are slow at the same time, each report shows only its own task, and
// no goroutine that the task has started.
func TestReportsOfTwoSlowLoops(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		var both, loops sync.WaitGroup
		both.Add(2)
		for _, name := range []string{"one", "another"} {
			loops.Go(func() {
				reported(t, r, context.Background(), func(ctx context.Context, report func(ctx context.Context) loop.SlowStep) error {
					turns(ctx, 2)
					culprit := func(ctx context.Context) error {
						stop := new(atomic.Bool)
						var child sync.WaitGroup
						child.Go(func() {
							for !stop.Load() {
								runtime.Gosched()
							}
						})
						defer child.Wait()
						defer stop.Store(true)
						s := report(ctx)
						if both.Done(); goroutines(s) != 1 || !bytes.Contains(s.Stack, []byte("TestReportsOfTwoSlowLoops")) {
							t.Errorf("the report of %s does not show its task, alone:\n%v", name, s)
						}
						both.Wait()
						return nil
					}
					task.Go(ctx, culprit).SetName(name)
					return nil
				})
			})
		}
		loops.Wait()
	})
}

// The watchdog does not change profile labels. Tasks begin with the labels of Run's ctx,
// and the caller of Run has its labels back after Run. pprof.Do in a task does not hide the
// task from the watchdog.
func TestWatchdogKeepsProfileLabels(t *testing.T) {
	has := func(t *testing.T, when, label string) {
		t.Helper()
		var profile bytes.Buffer
		pprof.Lookup("goroutine").WriteTo(&profile, 1)
		for record := range strings.SplitSeq(profile.String(), "\n\n") {
			if strings.Contains(record, "task_test.TestWatchdogKeepsProfileLabels.func1+") && strings.Contains(record, label) {
				return
			}
		}
		t.Errorf("%s: this goroutine does not have the label %s:\n%s", when, label, profile.String())
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		pprof.Do(context.Background(), pprof.Labels("caller", "test"), func(ctx context.Context) {
			reported(t, r, ctx, func(ctx context.Context, report func(ctx context.Context) loop.SlowStep) error {
				turns(ctx, 1)
				has(t, "in a task", `"caller":"test"`)
				pprof.Do(ctx, pprof.Labels("inner", "do"), func(ctx context.Context) {
					turns(ctx, 1)
					has(t, "in pprof.Do", `"inner":"do"`)
					report(ctx)
				})
				turns(ctx, 1)
				report(ctx)
				return nil
			})
			has(t, "after Run", `"caller":"test"`)
		})
	})
}
