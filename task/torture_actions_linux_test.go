// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"time"

	"baton/await"
	"baton/internal/bridge"
	"baton/loop/poll/virtual"
	"baton/task"
)

func (p *program) yield(ctx context.Context, _ int) error {
	return turns(ctx, 1+p.rng.IntN(3))
}

func (p *program) sleep(ctx context.Context, _ int) error { return sleep(ctx, p.moment()) }

// moment returns a random short time, which may be negative.
func (p *program) moment() time.Duration {
	return time.Duration(p.rng.IntN(300)-20) * time.Microsecond
}

// later makes fn run with the baton, but not at once, in one of many ways.
func (p *program) later(ctx context.Context, fn func()) {
	do := func() {
		p.touch()
		fn()
	}
	switch p.rng.IntN(5) {
	case 0:
		p.loop.CallSoon(do)
	case 1:
		p.loop.CallLater(p.moment(), do)
	case 2:
		p.started++
		task.Go(ctx, p.body(func(context.Context) error { // begins even if it is cancelled
			do()
			return nil
		}))
	case 3:
		p.loop.RunInExecutor(runtime.Gosched, do)
	case 4:
		p.loop.Driver().Open()
		p.outsiders.Go(func() {
			p.loop.CallSoonThreadsafe(func() {
				p.loop.Driver().Shut()
				do()
			})
		})
	}
}

// queue waits in a wait queue. Each waiter has arranged a wake-up before, so there are
// always enough of them: a waiter that is left means a lost wake-up.
func (p *program) queue(ctx context.Context, _ int) error {
	q := &p.queues[p.rng.IntN(len(p.queues))]
	p.later(ctx, func() { q.WakeOne() })
	return q.Wait(ctx, task.Text("torture"))
}

func (p *program) future(ctx context.Context, depth int) error {
	f := new(task.Future[int])
	if _, err := f.Result(); err != task.ErrNotDone {
		p.t.Errorf("Result of a new future = %v", err)
	}
	p.later(ctx, func() { f.Set(7) })
	for range p.rng.IntN(3) {
		p.started++
		task.Go(ctx, p.body(func(ctx context.Context) error {
			_, err := f.Await(ctx)
			p.touch()
			return err
		}))
	}
	v, err := f.Await(ctx)
	if err == nil && v != 7 {
		p.t.Errorf("the future's value is %d", v)
	}
	return err
}

func (p *program) spawn(ctx context.Context, depth int) error {
	task.Go(ctx, p.task(depth))
	return nil
}

func (p *program) start(ctx context.Context, depth int) error {
	fn := p.task(depth)
	t := task.Start(ctx, func(ctx context.Context) (int, error) { return depth, fn(ctx) })
	if p.rng.IntN(2) == 0 {
		t.AddDoneCallback(func(*task.Ref) { p.touch() })
	}
	if p.rng.IntN(8) == 0 {
		return nil
	}
	_, err := t.Await(ctx)
	return err
}

func (p *program) startReady(ctx context.Context, depth int) error {
	fn := p.task(depth)
	_, err := task.StartReady(ctx, func(ctx context.Context, ready func(int)) error {
		if p.rng.IntN(2) == 0 {
			ready(depth)
		}
		return fn(ctx)
	})
	return err
}

func (p *program) scope(ctx context.Context, depth int) error {
	p.scopes++
	defer func() { p.scopes-- }()
	return task.Scope(ctx, func(ctx context.Context) error {
		s := task.ScopeOf(ctx)
		p.refs = append(p.refs, s)
		defer func() { p.drop(s) }()
		if p.rng.IntN(3) == 0 {
			s.Go(p.task(depth))
		}
		return p.act(ctx, depth)
	})
}

func (p *program) drop(s *task.ScopeRef) {
	for i, other := range p.refs {
		if other == s {
			p.refs[i] = p.refs[len(p.refs)-1]
			p.refs = p.refs[:len(p.refs)-1]
			return
		}
	}
}

func (p *program) cancelTask(ctx context.Context, _ int) error {
	all := task.Tasks(ctx)
	all[p.rng.IntN(len(all))].Cancel(errCause)
	return nil
}

func (p *program) cancelScope(context.Context, int) error {
	if len(p.refs) > 0 {
		p.refs[p.rng.IntN(len(p.refs))].Cancel(errCause)
	}
	return nil
}

func (p *program) timeout(ctx context.Context, depth int) error {
	ctx, release := await.WithDeadline(ctx, task.Now(ctx).Add(p.moment()))
	defer release()
	err := p.act(ctx, depth)
	if p.rng.IntN(4) == 0 {
		await.Reschedule(ctx, task.Now(ctx).Add(p.moment()))
		err = errors.Join(err, p.act(ctx, depth))
	}
	if bridge.Expired(ctx, err) {
		return nil
	}
	return err
}

func (p *program) shield(ctx context.Context, depth int) error {
	ctx, release := task.Shield(ctx, max(1, p.moment()))
	defer release()
	return p.act(ctx, depth)
}

// portal makes goroutines run tasks through a portal, some of them after it is closed.
func (p *program) portal(ctx context.Context, depth int) error {
	portal := task.OpenPortal(ctx)
	for range 1 + p.rng.IntN(3) {
		cancel := p.rng.IntN(4) == 0
		p.outsiders.Go(func() {
			ran := false
			call := portal.Go(func(ctx context.Context) error {
				ran = true
				return p.task(depth)(ctx)
			})
			if cancel {
				call.Cancel(errCause)
			}
			if err := call.Wait(); !ran && err != task.ErrClosed {
				p.t.Errorf("a call that did not run = %v", err)
			}
		})
	}
	if p.rng.IntN(2) == 0 {
		defer portal.Close()
	}
	return p.act(ctx, depth)
}

func (p *program) executor(ctx context.Context, _ int) error {
	var q task.WaitQueue
	p.loop.RunInExecutor(runtime.Gosched, func() {
		p.touch()
		q.WakeOne()
	})
	return q.Wait(ctx, task.Text("the executor"))
}

func (p *program) callback(context.Context, int) error {
	fn := p.touch
	if p.rng.IntN(10) == 0 {
		fn = func() {
			p.touch()
			panic(errBoom)
		}
	}
	h := p.loop.CallLater(p.moment(), fn)
	if p.rng.IntN(4) == 0 {
		h.Cancel()
	}
	return nil
}

// signal sends the process the signal whose handler calls touch.
func (p *program) signal(context.Context, int) error {
	return syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
}

// standard acts under a context of the standard library.
func (p *program) standard(ctx context.Context, depth int) error {
	type key struct{}
	ctx = context.WithValue(ctx, key{}, depth)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	switch p.rng.IntN(4) {
	case 0:
		p.outsiders.Go(func() { cancel(errCause) })
	case 1:
		p.later(ctx, func() { cancel(errCause) })
	case 2:
		if p.real() {
			timed, stop := context.WithTimeout(ctx, p.moment())
			defer stop()
			ctx = timed
		}
	}
	return p.act(ctx, depth)
}

func (p *program) real() bool {
	_, isVirtual := p.loop.Poller().(*virtual.Poller)
	return !isVirtual
}

// inspect reads the states of all tasks.
func (p *program) inspect(ctx context.Context, _ int) error {
	all := task.Tasks(ctx)
	waits := task.Waits(ctx)
	if len(waits) >= len(all) {
		p.t.Errorf("%d of %d tasks wait, and one runs", len(waits), len(all))
	}
	r := all[p.rng.IntN(len(all))]
	if r.State() == task.Parked && len(r.Stack()) == 0 {
		p.t.Errorf("%v is parked and has no stack", r)
	}
	return nil
}

func (p *program) panic(context.Context, int) error {
	if p.rng.IntN(3) == 0 {
		panic(errBoom)
	}
	return nil
}

func (p *program) goexit(context.Context, int) error {
	switch p.rng.IntN(6) {
	case 0:
		runtime.Goexit()
	case 1:
		p.loop.CallSoon(func() {
			p.touch()
			if !p.exited && p.rng.IntN(4) == 0 {
				p.exited = true
				runtime.Goexit()
			}
		})
	}
	return nil
}
