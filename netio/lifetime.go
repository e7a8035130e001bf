// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"net"

	"baton/internal/bridge"
	"baton/task"
)

// A lifetime is the ctx that a net.Conn, a net.Listener or a dial function was made with. A call from
// elsewhere runs as a task under ctx, so the end of ctx ends it like any task there.
// Its methods are safe from every goroutine.
type lifetime struct {
	ctx  context.Context
	home *task.Ref       // the task of ctx
	own  context.Context // the context of home's function
}

// newLifetime returns the lifetime of ctx, whose task calls it.
func newLifetime(ctx context.Context) lifetime {
	home := task.Self(ctx)
	_, own := home.Running()
	return lifetime{ctx, home, own}
}

// life is the context that ends with the lifetime: ctx, or the context of its task if
// ctx cannot end. When the loop has stopped running, life has ended.
func (l *lifetime) life() context.Context {
	if l.ctx.Done() == nil {
		return l.own
	}
	return l.ctx
}

// cause is why calls fail: the cause for which the lifetime has ended, or
// net.ErrClosed if the loop or the scope of ctx ended first.
func (l *lifetime) cause() error {
	if life := l.life(); life.Err() != nil {
		return context.Cause(life)
	}
	return net.ErrClosed
}

// errGone is the error of run if the end of the lifetime has ended the call.
var errGone = errors.New("netio: the lifetime has ended")

// run does one call that may switch, named op, of a value of the type what. The task
// of ctx does it by itself, and a task under ctx does it for every other caller. If that
// calling task is cancelled as a whole, the error is its cancel.
func (l *lifetime) run(op, what string, do func(ctx context.Context) error) (err error) {
	caller, ctx := l.home.Running()
	switch {
	case caller == l.home:
		return do(l.ctx)
	case caller != nil:
		if _, err := task.Checkpoint(ctx); err != nil {
			return err
		}
	case l.home.Loop().Held():
		misuse("%s of a %s in a callback of %v, which cannot wait; start a task", op, what, l.home.Loop())
	}
	err = net.ErrClosed // if the call panics
	began := false
	if call := func(ctx context.Context) { err = do(ctx) }; caller != nil {
		began = l.forTask(ctx, caller, call)
	} else {
		began = l.forGoroutine(nil, call)
	}
	if !began {
		return errGone
	}
	if _, canceled := err.(*task.Canceled); !canceled {
		return err
	}
	if caller != nil {
		if err := task.Check(ctx); err != nil {
			return err
		}
	}
	return errGone // a goroutine outside knows nothing of cancels
}

// bring runs fn, which does not switch, with the loop's baton. A goroutine outside
// waits for that; done is false if the lifetime ended first, and then fn is not called.
func (l *lifetime) bring(fn func() error) (done bool, err error) {
	if l.home.Loop().Held() {
		return true, fn()
	}
	var v visit
	sent := v.send(l.home.Loop(), func() {
		err = fn()
		close(v.done)
	})
	done = sent && v.wait(l.life().Done(), nil)
	return done, err
}

// owned returns a net.Conn that owns its stream: the end of the lifetime closes it.
func (l *lifetime) owned(s *Stream) net.Conn {
	c := s.netConn(*l)
	c.stop = bridge.AfterEnd(l.life(), func() { _ = s.Close() })
	return c.face()
}

// forTask runs fn as a task under the lifetime's ctx, for another task of the loop.
// That task calls it with its own context, and parks until fn has returned. If it is
// cancelled meanwhile, so is fn. forTask returns false, and does not run fn, if the
// scope of the lifetime has ended.
func (l *lifetime) forTask(ctx context.Context, caller *task.Ref, fn func(ctx context.Context)) bool {
	e := &errand{worker: bridge.GoUnder(l.ctx, func(ctx context.Context) error {
		defer caller.Wake()
		fn(ctx)
		return nil
	}).(*task.Ref)}
	if e.worker == nil {
		return false
	}
	park(ctx, e)
	return true
}

// forGoroutine is forTask for a goroutine outside the loop, which blocks. It cancels
// fn when quit is closed, which may be nil. It also returns false if the loop did not
// begin with fn before the end of the lifetime, or before quit was closed.
func (l *lifetime) forGoroutine(quit <-chan struct{}, fn func(ctx context.Context)) bool {
	var v visit
	sent := v.send(l.home.Loop(), func() {
		v.worker = bridge.GoUnder(l.ctx, func(ctx context.Context) error {
			defer close(v.done)
			fn(ctx)
			return nil
		}).(*task.Ref)
		if v.worker == nil {
			close(v.done)
		}
	})
	return sent && v.wait(l.life().Done(), quit) && v.worker != nil
}

// An errand is what the caller of forTask waits for. It is a task.Waiter.
type errand struct{ worker *task.Ref }

// Cancel passes a cancel of the caller on. The worker wakes the caller.
func (e *errand) Cancel(*task.Ref) bool {
	e.worker.Cancel(nil)
	return false
}

// Reason and Owners are for reports.
func (e *errand) Reason() string      { return "its call of a net.Conn or net.Listener" }
func (e *errand) Owners() []*task.Ref { return []*task.Ref{e.worker} }
