// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/file"
	"baton/netio/httpio"
	"baton/netio/process"
	"baton/task"
)

// checked has every call that takes the ctx of a task. Each of them checks its caller.
var checked = map[string]func(ctx context.Context){
	"Yield":          func(ctx context.Context) { task.Yield(ctx) },
	"Check":          func(ctx context.Context) { task.Check(ctx) },
	"Checkpoint":     func(ctx context.Context) { task.Checkpoint(ctx) },
	"ParkUntil":      func(ctx context.Context) { task.ParkUntil(ctx, time.Time{}) },
	"Park":           func(ctx context.Context) { task.Park(ctx, new(refuser)) },
	"WaitQueue.Wait": func(ctx context.Context) { new(task.WaitQueue).Wait(ctx, task.Text("ever")) },
	"Future.Await":   func(ctx context.Context) { new(task.Future[int]).Await(ctx) },
	"Task.Await":     func(ctx context.Context) { new(task.Task[int]).Await(ctx) },
	"Scope":          func(ctx context.Context) { task.Scope(ctx, forever) },
	"ScopeOf":        func(ctx context.Context) { task.ScopeOf(ctx) },
	"Go":             func(ctx context.Context) { task.Go(ctx, forever) },
	"Start":          func(ctx context.Context) { task.Start(ctx, func(context.Context) (int, error) { return 0, nil }) },
	"StartErr":       func(ctx context.Context) { task.StartErr(ctx, forever) },
	"StartReady": func(ctx context.Context) {
		task.StartReady(ctx, func(context.Context, func(int)) error { return nil })
	},
	"Shield":             func(ctx context.Context) { task.Shield(ctx, 0) },
	"await.WithDeadline": func(ctx context.Context) { await.WithDeadline(ctx, time.Time{}) },
	"await.Reschedule":   func(ctx context.Context) { await.Reschedule(ctx, time.Time{}) },
	"OpenPortal":         func(ctx context.Context) { task.OpenPortal(ctx) },
	"Self":               func(ctx context.Context) { task.Self(ctx) },
	"Now":                func(ctx context.Context) { task.Now(ctx) },
	"Loop":               func(ctx context.Context) { task.Loop(ctx) },
	"Tasks":              func(ctx context.Context) { task.Tasks(ctx) },
	"Waits":              func(ctx context.Context) { task.Waits(ctx) },
	"netio.Dial":         func(ctx context.Context) { netio.Dial(ctx, "tcp", "localhost:1") },
	"file.ReadFile":      func(ctx context.Context) { file.ReadFile(some(ctx), os.DevNull) },
	"process.Cmd.Output": func(ctx context.Context) { process.Command("true").Output(ctx) },
	"httpio.Transport.RoundTrip": func(ctx context.Context) {
		req := &http.Request{URL: &url.URL{Scheme: "http", Host: "localhost:1"}}
		new(httpio.Transport).RoundTrip(req.WithContext(some(ctx)))
	},
}

// some returns ctx, or a context of no task if ctx is nil. It is for calls to which the caller
// must not pass nil.
func some(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// eachChecked runs a test for every checked call. message is the beginning of the call's
// panic message.
func eachChecked(t *testing.T, fn func(t *testing.T, message string, call func(ctx context.Context))) {
	for name, call := range checked {
		pkg := "task"
		if first, rest, ok := strings.Cut(name, "."); ok && first == strings.ToLower(first) {
			pkg, name = first, rest
		}
		t.Run(name, func(t *testing.T) { fn(t, pkg+": "+name+" with ", call) })
	}
}

// mustMisuse checks that fn panics with a message that contains all names.
func mustMisuse(t *testing.T, fn func(), names ...string) {
	t.Helper()
	v := panicOf(fn)
	if v == nil {
		t.Error("did not panic")
		return
	}
	for _, name := range names {
		if !strings.Contains(fmt.Sprint(v), name) {
			t.Errorf("panicked with %q, which does not contain %q", v, name)
		}
	}
}

// mustRunOn runs fn, which misuses something, as a task. After that the program must go on,
// and no task and no timer may be left.
func mustRunOn(t *testing.T, fn func(ctx context.Context)) {
	t.Helper()
	err := task.Run(context.Background(), func(ctx context.Context) error {
		fn(ctx)
		if err := turns(ctx, 3); err != nil {
			return err
		}
		if all := task.Tasks(ctx); len(all) != 1 {
			t.Errorf("misuse left %v", all)
		}
		if timer, ok := task.Loop(ctx).NextDeadline(); ok {
			t.Errorf("misuse left a timer for %v", timer)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestContextOfNoTask(t *testing.T) {
	type key struct{}
	eachChecked(t, func(t *testing.T, message string, call func(ctx context.Context)) {
		mustRunOn(t, func(context.Context) {
			mustMisuse(t, func() { call(context.Background()) }, message+"a context that does not belong to a task")
			mustMisuse(t, func() { call(context.WithValue(context.Background(), key{}, 1)) }, message+"a context that does not belong to a task")
		})
		mustMisuse(t, func() { call(context.Background()) }, message+"a context that does not belong to a task")
		mustMisuse(t, func() { call(nil) }, message+"a context that does not belong to a task")
	})
}

func TestContextOfAnotherTask(t *testing.T) {
	eachChecked(t, func(t *testing.T, message string, call func(ctx context.Context)) {
		mustRunOn(t, func(ctx context.Context) {
			task.Go(ctx, func(context.Context) error {
				mustMisuse(t, func() { call(ctx) }, message+"the context of task 1 (", "task 2 (thief)")
				return nil
			}).SetName("thief")
		})
	})
}

func TestContextFromGoroutine(t *testing.T) {
	eachChecked(t, func(t *testing.T, message string, call func(ctx context.Context)) {
		mustRunOn(t, func(ctx context.Context) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				mustMisuse(t, func() { call(ctx) }, message+"the context of task 1 (", "goroutine")
			}()
			<-done
		})
	})
}

func TestContextFromCallback(t *testing.T) {
	eachChecked(t, func(t *testing.T, message string, call func(ctx context.Context)) {
		mustRunOn(t, func(ctx context.Context) {
			task.Loop(ctx).CallSoon(func() { mustMisuse(t, func() { call(ctx) }, message+"the context of task 1 (", "callback of loop") })
		})
	})
}

func TestContextAfterItsTask(t *testing.T) {
	eachChecked(t, func(t *testing.T, message string, call func(ctx context.Context)) {
		var ended context.Context
		mustRunOn(t, func(ctx context.Context) {
			task.Go(ctx, func(ctx context.Context) error { ended = ctx; return nil })
			turns(ctx, 2)
			mustMisuse(t, func() { call(ended) }, message+"the context of task 2 (", "), which has ended, from task 1 (")
		})
		mustMisuse(t, func() { call(ended) }, message+"the context of task 2 (")
	})
}

func TestContextOfAnotherLoop(t *testing.T) {
	eachChecked(t, func(t *testing.T, message string, call func(ctx context.Context)) {
		mustRunOn(t, func(ctx context.Context) {
			name := task.Loop(ctx).String()
			done := make(chan struct{})
			go func() {
				defer close(done)
				mustRunOn(t, func(inner context.Context) {
					mustMisuse(t, func() { call(ctx) }, message, name, task.Loop(inner).String())
				})
			}()
			<-done
		})
	})
}

// A task may use an outer context of its own.
func TestOuterContextOfSameTask(t *testing.T) {
	mustRun(t, func(outer context.Context) error {
		return task.Scope(outer, func(ctx context.Context) error {
			limited, release := await.WithDeadline(ctx, task.Now(ctx).Add(-1))
			defer release()
			if task.Check(limited) == nil {
				t.Error("the deadline has not passed")
			}
			return task.Yield(outer)
		})
	})
}

// Tasks, futures, queues and scopes of another loop panic. The message names both loops or
// the task.
func TestUseFromAnotherLoop(t *testing.T) {
	mustRunOn(t, func(ctx context.Context) {
		var f task.Future[int]
		var q task.WaitQueue
		tk := task.Start(ctx, func(ctx context.Context) (int, error) { return f.Await(ctx) })
		waiter := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, q.Wait(ctx, task.Text("a test")) })
		s := task.ScopeOf(ctx)
		turns(ctx, 2)
		here := task.Loop(ctx).String()
		done := make(chan struct{})
		go func() {
			defer close(done)
			mustRunOn(t, func(ctx context.Context) {
				there := task.Loop(ctx).String()
				mustMisuse(t, func() { tk.Await(ctx) }, here, there)
				mustMisuse(t, func() { f.Await(ctx) }, here, there)
				mustMisuse(t, func() { f.Set(1) }, here)
				mustMisuse(t, func() { q.Wait(ctx, task.Text("a test")) }, here, "task 1 (")
				mustMisuse(t, func() { s.Go(forever) }, "task 1 (")
				mustMisuse(t, func() { s.Cancel(nil) }, "task 1 (")
				mustMisuse(t, func() { s.Tasks() }, "task 1 (")
				mustMisuse(t, func() { s.Len() }, "task 1 (")
			})
		}()
		<-done
		f.Set(1)
		q.WakeOne()
		tk.Await(ctx)
		waiter.Await(ctx)
	})
}

func TestAwaitItself(t *testing.T) {
	mustRunOn(t, func(ctx context.Context) {
		var tk *task.Task[int]
		tk = task.Start(ctx, func(ctx context.Context) (int, error) {
			mustMisuse(t, func() { tk.Await(ctx) }, "task 2 (", "awaits itself")
			return 0, nil
		})
		tk.Await(ctx)
	})
}

// Run panics inside a task or a callback, on a running loop, and on a closed loop.
func TestMisusedRunPanics(t *testing.T) {
	mustRunOn(t, func(ctx context.Context) {
		l := task.Loop(ctx)
		run := func() { task.Run(context.Background(), forever) }
		runHere := func() { task.Runner{Loop: l}.Run(context.Background(), forever) }
		mustMisuse(t, run, l.String())
		mustMisuse(t, runHere, l.String())
		l.CallSoon(func() { mustMisuse(t, run, l.String()) })
		done := make(chan struct{})
		go func() {
			defer close(done)
			mustMisuse(t, runHere, l.String(), "which is already running")
		}()
		<-done
	})
	closed := newVirtual(t)
	closed.Close()
	mustMisuse(t, func() { task.Runner{Loop: closed}.Run(context.Background(), forever) }, closed.String(), "closed")
}

// Methods without a ctx check the caller too: they panic on a goroutine without the baton.
func TestRefFromGoroutine(t *testing.T) {
	var queue task.WaitQueue
	calls := map[string]func(r *task.Ref){
		"Cancel":          func(r *task.Ref) { r.Cancel(nil) },
		"Wake":            func(r *task.Ref) { r.Wake() },
		"Stack":           func(r *task.Ref) { r.Stack() },
		"SetName":         func(r *task.Ref) { r.SetName("changed") },
		"AddDoneCallback": func(r *task.Ref) { r.AddDoneCallback(func(*task.Ref) {}) },
		"WakeOne":         func(*task.Ref) { queue.WakeOne() },
		"WakeAll":         func(*task.Ref) { queue.WakeAll() },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			err := task.Run(context.Background(), func(ctx context.Context) error {
				r := task.Go(ctx, func(ctx context.Context) error { return queue.Wait(ctx, task.Text("a test")) })
				if err := task.Yield(ctx); err != nil {
					return err
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					mustMisuse(t, func() { call(r) }, name, r.String(), "baton")
				}()
				<-done
				if n := queue.WakeAll(); n != 1 {
					t.Errorf("%d tasks wait after the misuse, want 1", n)
				}
				return nil
			})
			if err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
}
