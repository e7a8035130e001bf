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

// hold keeps the baton until the report comes that it causes, and checks that. A
// machine that stands still may have had others made, of steps that have gone on.
func hold(t *testing.T, reports <-chan loop.SlowStep, name string) {
	var seen []string
	late := time.After(10 * time.Second)
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
				t.Errorf("the report does not show who holds the baton, alone:\n%v", s)
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

// goroutines counts the goroutines of a loop that a report shows.
func goroutines(s loop.SlowStep) int {
	return bytes.Count(s.Stack, []byte("relay.(*Worker).main(")) + bytes.Count(s.Stack, []byte("loop.(*Loop).run("))
}

// A report of the watchdog's names the task that holds the baton, and shows its
// stack alone, whether the step is the task's first, a later one, or the first on
// a goroutine that another task has left. A callback has no name.
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
			for range 2 { // the second one on the goroutine of the first
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

// reported runs main on a loop of its own with a watchdog, and gives it a function
// that holds the baton until a report shows the stack.
func reported(t *testing.T, r task.Runner, ctx context.Context, main func(ctx context.Context, report func() loop.SlowStep) error) {
	reports := make(chan loop.SlowStep, 100)
	r.Loop = newLoop(t, loop.Config{
		SlowStep: 20 * time.Millisecond,
		OnSlow:   func(s loop.SlowStep) { reports <- s },
	})
	err := r.Run(ctx, func(ctx context.Context) error {
		return main(ctx, func() loop.SlowStep {
			late := time.After(10 * time.Second)
			for {
				select {
				case <-late:
					t.Error("no report shows the stack")
					return loop.SlowStep{}
				case s := <-reports:
					if s.Stack != nil {
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

// Of two loops whose tasks are slow at the same time each report shows its own, and
// not a goroutine that the task has started.
func TestTwoSlowTasks(t *testing.T) {
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		var both, loops sync.WaitGroup
		both.Add(2)
		for _, name := range []string{"one", "another"} {
			loops.Go(func() {
				reported(t, r, context.Background(), func(ctx context.Context, report func() loop.SlowStep) error {
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
						s := report()
						if both.Done(); goroutines(s) != 1 || !strings.Contains(s.Step, name) || !bytes.Contains(s.Stack, []byte("reported.func2.1(")) {
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

// Labels of the standard library's profiles stay what they were: tasks begin with
// those of Run's ctx, which comes back in the end, and pprof.Do in a task does not
// hide it from the watchdog.
func TestProfileLabels(t *testing.T) {
	has := func(t *testing.T, when, label string) {
		t.Helper()
		var profile bytes.Buffer
		pprof.Lookup("goroutine").WriteTo(&profile, 1)
		for record := range strings.SplitSeq(profile.String(), "\n\n") {
			if strings.Contains(record, "task_test.TestProfileLabels.func1+") && strings.Contains(record, label) {
				return
			}
		}
		t.Errorf("%s: this goroutine does not have the label %s:\n%s", when, label, profile.String())
	}
	eachHandoff(t, func(t *testing.T, r task.Runner) {
		pprof.Do(context.Background(), pprof.Labels("caller", "test"), func(ctx context.Context) {
			reported(t, r, ctx, func(ctx context.Context, report func() loop.SlowStep) error {
				turns(ctx, 1)
				has(t, "in a task", `"caller":"test"`)
				pprof.Do(ctx, pprof.Labels("inner", "do"), func(ctx context.Context) {
					turns(ctx, 1)
					has(t, "in pprof.Do", `"inner":"do"`)
					report()
				})
				turns(ctx, 1)
				report()
				return nil
			})
			has(t, "after Run", `"caller":"test"`)
		})
	})
}
