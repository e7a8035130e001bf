// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"

	"baton/loop"
)

// A Runner runs a function as the main task of a loop, with options. The zero value makes
// a new loop for each Run. A Runner may be used several times, unless Config has a Poller
// or an Executor: those are closed together with their loop.
type Runner struct {
	// Loop is the loop to use; the caller closes it. A loop can serve several Runs, one after
	// another. Callbacks and timers that are left at the end of one Run go on in the next,
	// except what the last step queued: see [Run].
	Loop *loop.Loop

	// Config is the configuration of the loop that Run makes if Loop is nil.
	Config loop.Config

	// Handoff is how the baton passes from goroutine to goroutine.
	Handoff Handoff
}

// Run runs main as the first task of a new loop, and returns its error when main and all
// tasks started under it have ended. It is the root scope: the first failure cancels the
// rest. Cancelling ctx cancels main. After Run no task, no goroutine and no file
// descriptor is left, except goroutines of functions that were abandoned (see
// await.Abandon).
//
// Run uses the calling goroutine as the loop's own goroutine: callbacks run on it. It
// panics if it is called inside a task or callback.
//
// Panics and Goexit: if a task panicked, Run panics with the *PanicError after all tasks
// have ended. If main ended by runtime.Goexit, so does the caller of Run. If a callback
// calls Goexit, as t.FailNow does, Run cancels all tasks with ErrGoexit as the cause and
// waits for them. Then the caller ends by Goexit.
//
// Deadlocks: if nothing is left that could wake a task, all tasks are cancelled with a
// *DeadlockError as the cause. If main or a task returns that cancel, Run returns it;
// otherwise the exception handler receives the *DeadlockError. A ctx that can be cancelled
// counts as something that could wake a task. If the cleanup deadlocks too, the cancel
// passes the shields. After a hundred deadlocks, because tasks park again or a [Waiter]
// refuses every cancel, Run gives up: it panics with the *DeadlockError and leaves the
// tasks and their goroutines behind.
//
// At the end, the loop runs one more turn. Callbacks that main's last step has queued run
// in it, and so do posted functions and due timers if that turn polls. What these add does
// not run.
func Run(ctx context.Context, main func(ctx context.Context) error) error {
	return Runner{}.Run(ctx, main)
}

// Run is like the function [Run], with the options of the Runner. If the loop cannot be
// made, Run returns that error, wrapped. If closing the loop fails, the error is joined to
// main's. Run panics if Loop is closed or is running.
func (r Runner) Run(ctx context.Context, main func(ctx context.Context) error) (err error) {
	if l := loop.Current(); l != nil {
		misuse("Run in a task or callback of %v; use Scope for tasks of the same loop, or await.Blocking to run another loop", l)
	}
	mustHaveFunc(main != nil, "Run")
	l := r.Loop
	if l == nil {
		if l, err = loop.New(r.Config); err != nil {
			return fmt.Errorf("task: run: %w", err)
		}
		defer func() {
			if e := l.Close(); e != nil {
				err = errors.Join(err, e)
			}
		}()
	} else if l.IsClosed() {
		misuse("Run on %v, which is closed; use an open loop", l)
	} else if l.IsRunning() {
		misuse("Run on %v, which is already running; use a task.Portal to run functions on it", l)
	}
	b := newBaton(l, r.Handoff)
	if p, ok := ctx.(interface{ begin(*baton) }); ok {
		p.begin(b)
	}
	return b.run(ctx, main)
}

// run is Run on b. A Goexit of a callback unwinds it. The deferred function then cancels
// and awaits the tasks: a goroutine in Goexit can run the loop in a deferred function.
func (b *baton) run(ctx context.Context, main func(ctx context.Context) error) error {
	leave := b.begin(ctx, main)
	defer leave()
	finished := false
	defer func() {
		if !finished { // a callback called Goexit on this goroutine
			b.root.ctx.cancel(newCanceled(&b.root.ctx, ErrGoexit))
			b.unwind()
		}
	}()
	lost := b.drive()
	finished = true
	b.finish(lost)
	return b.result()
}

// unwind runs the loop to the end of all tasks while its goroutine is in Goexit. Another
// callback may call Goexit in there, and then the deferred function calls unwind again. A
// panic of the loop is not a Goexit and continues.
func (b *baton) unwind() {
	ended := false
	defer func() {
		if ended {
			return
		}
		if v := recover(); v != nil {
			panic(v)
		}
		b.unwind()
	}()
	lost := b.drive()
	ended = true
	b.finish(lost)
}

// finish ends the goroutines, or panics if there are tasks that will never end.
func (b *baton) finish(lost *DeadlockError) {
	b.over = true
	if lost != nil {
		b.loop.Driver().NameSteps(nil) // the loop may run again, and would keep b alive
		panic(lost)
	}
	b.close()
}

// begin makes the main task, with the root scope right below it in the tree. Above the
// main task is an anchor: a node without a task that has the values of ctx, so that every
// other node has a parent. ctx is watched, and counts as an external source, until leave
// is called.
func (b *baton) begin(ctx context.Context, main func(ctx context.Context) error) (leave func()) {
	t := &rootTask{main: main}
	r := &t.ref
	b.root, b.lastID = r, 1
	r.b, r.id, r.body = b, 1, t
	b.relay.Labels = b.loop.Driver().Labels(ctx)
	anchor := &node{inherited: &inherited{values: b.relay.Labels}}
	r.ctx.ref, r.ctx.scope = r, &t.scope
	r.ctx.attach(anchor, anchor)
	t.scope.ref, t.scope.scope = r, &t.scope
	t.scope.attach(&r.ctx, &r.ctx)
	if b.virtual {
		b.loop.Driver().BeforePoll(b.foreign.check)
	}
	unwatch := nothing
	if ctx.Done() != nil {
		cancelRoot := func(c *Canceled) {
			if r.ctx.current == nil {
				r.ctx.cancel(c)
			}
		}
		_, signals := ctx.(interface{ begin(*baton) }) // true for the context of Main
		unwatch = b.foreign.add(ctx, func() string { return "the context of task.Run" }, !signals, cancelRoot)
		if ctx.Err() != nil {
			cancelRoot(foreignCanceled(ctx))
		}
	}
	r.ready()
	return func() {
		unwatch()
		b.loop.Driver().BeforePoll(nil)
		if b.hasWatchdog {
			pprof.SetGoroutineLabels(ctx)
		}
	}
}

// A rootTask is the main task with the root scope. The task's function runs in the scope,
// so what fails in main fails the scope.
type rootTask struct {
	ref   Ref
	scope scope
	main  func(ctx context.Context) error
}

func (t *rootTask) run(*Ref) error { return t.scope.run(t.main) }

func (t *rootTask) function() any { return t.main }

// drive runs the loop until lastCallback stops it, in the turn after the end of the main
// task. If the loop returns earlier, it was stopped by other code or is idle. All tasks
// are then cancelled, and the loop runs again so that they can clean up. drive returns the
// tasks that are still parked after maxDeadlocks deadlocks, or nil.
func (b *baton) drive() (lost *DeadlockError) {
	again := 0
	for !b.over {
		stopped := b.loop.Run()
		switch {
		case b.root.state == Done:
		case stopped:
			b.root.ctx.cancel(newCanceled(&b.root.ctx, ErrStopped))
		case b.deadlock == nil:
			b.deadlock = newCanceled(&b.root.ctx, &DeadlockError{Waits: b.waits()})
			b.root.ctx.cancel(b.deadlock)
		case again < maxDeadlocks:
			again++
			b.breakShields(b.deadlock)
		default:
			return &DeadlockError{Waits: b.waits()}
		}
	}
	return nil
}

// result returns the result of the main task, after everything has ended. It panics with
// the first panic that is part of the error. It gives all other unreported panics to the
// exception handler, and also a deadlock that is not in the error.
func (b *baton) result() error {
	err := b.root.err
	var fatal *PanicError
	for _, p := range b.panics {
		if fatal == nil && errors.Is(err, p) {
			fatal = p
		} else {
			p.report(b.loop)
		}
	}
	if c := b.deadlock; c != nil && !errors.Is(err, c.Cause) {
		b.loop.CallExceptionHandler(loop.Exception{
			Message: "task: a deadlock that Run does not return",
			Err:     c.Cause,
		})
	}
	if fatal != nil {
		panic(fatal)
	}
	if b.root.goexit {
		runtime.Goexit()
	}
	return err
}
