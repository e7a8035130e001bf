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

// A Runner runs a function as the root of a tree of tasks, on a loop, and
// returns when the tree is empty. The zero value makes a loop of its own for
// each Run. A Runner may be used again, unless Config brings a Poller or an
// Executor: those are closed with their loop.
type Runner struct {
	// Loop is the loop to run on; the caller closes it. One loop serves several
	// Runs, one after another; what is on it besides tasks (callbacks, timers)
	// goes on in the next one, but for what the last step has queued: see Run.
	Loop *loop.Loop

	// Config is for the loop that Run makes if Loop is nil.
	Config loop.Config

	// Handoff is how the baton goes from task to task.
	Handoff Handoff
}

// Run runs main as a task, and returns its error when main and all tasks
// started under it have ended: no task, no goroutine (but those of functions
// that were abandoned) and, unless the loop was brought along, no descriptor is
// left. It is the root scope: the first failure cancels the rest. Cancelling
// ctx cancels main.
//
// If a task panicked, Run panics with the *PanicError. If main ended by
// runtime.Goexit, so does the caller. A callback that calls Goexit, as by
// t.FailNow, ends the caller too: all tasks are cancelled with ErrGoexit as the
// cause, and awaited.
//
// If nothing is left that could wake any task, all are cancelled with a
// *DeadlockError. Run returns that if main and its tasks do, and otherwise,
// where they make something else of it or had been cancelled before, gives it
// to the exception handler. A cancellable ctx counts as something that could
// wake them. If their cleanup is deadlocked as well, the cancel goes through
// shields too: nothing else could end those. Only a tree that is deadlocked a
// hundred times, because tasks park again and again in spite of that, or on a
// Waiter that refuses every cancel, is given up: Run panics with the
// *DeadlockError, and leaves the tasks and their goroutines behind.
//
// What main's last step has queued, done callbacks and CallSoon, still runs
// before Run returns, in one more turn; what that adds does not. If that turn
// polls, timers that are due and what others have posted run in it, too.
//
// Run keeps the calling goroutine, which becomes the loop's own: callbacks run
// on it. Run inside a task, or on a loop that runs, is misuse and panics.
func Run(ctx context.Context, main func(ctx context.Context) error) error {
	return Runner{}.Run(ctx, main)
}

// Run is like the function Run, with what the Runner brings. An error of the
// kernel's in making the loop or in closing it is returned wrapped, or joined
// to main's.
func (r Runner) Run(ctx context.Context, main func(ctx context.Context) error) (err error) {
	if l := loop.Current(); l != nil {
		misuse("Run inside %v; use Scope for tasks of the same loop, and await.Blocking for another loop", l)
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
		misuse("Run on %v, which is closed", l)
	} else if l.IsRunning() {
		misuse("Run on %v, which runs; use a Portal to bring it work", l)
	}
	b := newBaton(l, r.Handoff)
	if p, ok := ctx.(interface{ begin(*baton) }); ok {
		p.begin(b)
	}
	return b.run(ctx, main)
}

// run is Run on b, from the first task to the last goroutine. A Goexit of a
// callback's unwinds it: the tasks are then cancelled and awaited in the
// deferred function, for a goroutine in Goexit may go on as long as it likes in
// there.
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

// unwind is the rest of a run whose goroutine is in Goexit. Another callback
// may call it again, and then the rest of that is deferred in turn: until the
// tasks have ended nobody else would end them. A panic of the loop's is no
// Goexit, and passes.
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

// finish ends the goroutines, or gives up the tasks that will never end. The run
// is over then, whether its finale has run or not.
func (b *baton) finish(lost *DeadlockError) {
	b.over = true
	if lost != nil {
		b.loop.Driver().NameSteps(nil) // the loop may run on, and would keep all of b
		panic(lost)
	}
	b.close()
}

// begin makes the root task, with the root scope right below it. Its context
// hangs on an anchor without a task, which brings what ctx tells, so that no
// node but that is without a parent. ctx is a door while main runs: whoever can
// cancel it may still do so. What begin returns undoes it, when the task has
// ended.
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
		_, signals := ctx.(interface{ begin(*baton) }) // the context of Main
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

// rootTask is the task of main, with the root scope. The scope is part of it,
// and its context is the scope's: what fails in main fails there.
type rootTask struct {
	ref   Ref
	scope scope
	main  func(ctx context.Context) error
}

func (t *rootTask) run(*Ref) error { return t.scope.run(t.main) }

func (t *rootTask) function() any { return t.main }

// drive runs the loop until the turn after the end of the root task: that end
// queues the finale, which stops the loop. If the loop returns for another reason
// it is stopped by somebody else, or idle, and then no task can ever be woken.
// Every task is cancelled for that, and the loop runs again, so that they can
// clean up. What drive returns are those that did not, and never will.
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

// verdict is the outcome of the root task, after everything has ended. The
// first panic that is part of the error passes on, with the goroutine of Run;
// all others that nobody has reported are reported now, since nobody else will,
// and so is a deadlock that is not in the error.
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
