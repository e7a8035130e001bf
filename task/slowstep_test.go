// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
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
			if !bytes.Contains(s.Stack, []byte("TestSlowStepNamesTask")) || bytes.Contains(s.Stack, []byte("\ngoroutine ")) {
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
