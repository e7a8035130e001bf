// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"

	"baton/internal/bridge"
	"baton/task"
)

// A lifetime is the ctx that a net.Conn, a net.PacketConn, a net.Listener or a dial
// function was made with. A call from elsewhere runs as a task under ctx, so the end of
// ctx ends it like any task there. Its methods are safe from every goroutine.
type lifetime struct {
	ctx  context.Context
	task *task.Ref       // the task of ctx
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

// dress makes an error that has ended an operation one of a socket.
type opErrorFunc func(op string, err error) error

// atHome reports whether the task of the lifetime calls.
func (l *lifetime) isOwnTask() bool {
	caller, _ := l.task.Running()
	return caller == l.task
}

// away does one call for every other caller, by a task under ctx. op is the call in
// the words of package net, and what is the interface. A caller outside knows nothing of
// tasks, so a cancel is an error of the network for it.
func (l *lifetime) callAsTask(op, what string, opError opErrorFunc, do func(ctx context.Context) error) error {
	caller, ctx := l.task.Running()
	if caller == nil && l.task.Loop().Held() {
		misuse("%s of a %s in a callback of %v, which cannot wait; start a task", op, what, l.task.Loop())
	}
	err := net.ErrClosed // if the call panics
	run := func(ctx context.Context) { err = do(ctx) }
	var began bool
	if caller == nil {
		began = l.forGoroutine(nil, run)
	} else {
		if _, err := task.Checkpoint(ctx); err != nil {
			return err
		}
		began = l.forTask(ctx, caller, run)
	}
	_, canceled := err.(*task.Canceled)
	if canceled && caller != nil {
		if err := task.Check(ctx); err != nil {
			return err
		}
	}
	if canceled || !began {
		return opError(op, l.cause())
	}
	return err
}

// onLoop runs fn, which does not switch, with the loop's baton; the error is fn's,
// or says why the lifetime has ended before, as that of the operation op.
func (l *lifetime) onLoop(op string, opError opErrorFunc, fn func() error) error {
	done, err := l.tryOnLoop(fn)
	if !done {
		return opError(op, l.cause())
	}
	return err
}

// bring runs fn with the loop's baton. A goroutine outside waits for that; done is
// false if the lifetime ended first, and then fn is not called.
func (l *lifetime) tryOnLoop(fn func() error) (done bool, err error) {
	if l.task.Loop().Held() {
		return true, fn()
	}
	var c loopCall
	sent := c.send(l.task.Loop(), func() {
		err = fn()
		close(c.done)
	})
	done = sent && c.wait(l.life().Done(), nil)
	return done, err
}

// owned returns a net.Conn that owns its stream: the end of the lifetime closes it.
func (l *lifetime) owned(s *Stream) net.Conn {
	c := s.netConn(*l)
	c.stop = bridge.AfterEnd(l.life(), func() { _ = s.Close() })
	return c.asNetConn()
}

// forTask runs fn as a task under the lifetime's ctx, for another task of the loop.
// That task calls it with its own context, and parks until fn has returned. If it is
// cancelled meanwhile, so is fn. forTask returns false, and does not run fn, if the
// scope of the lifetime has ended.
func (l *lifetime) forTask(ctx context.Context, caller *task.Ref, fn func(ctx context.Context)) bool {
	e := &taskCall{worker: bridge.GoUnder(l.ctx, func(ctx context.Context) error {
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
	var c loopCall
	sent := c.send(l.task.Loop(), func() {
		c.worker = bridge.GoUnder(l.ctx, func(ctx context.Context) error {
			defer close(c.done)
			fn(ctx)
			return nil
		}).(*task.Ref)
		if c.worker == nil {
			close(c.done)
		}
	})
	return sent && c.wait(l.life().Done(), quit) && c.worker != nil
}

// An errand is what the caller of forTask waits for. It is a task.Waiter.
type taskCall struct{ worker *task.Ref }

// Cancel passes a cancel of the caller on. The worker wakes the caller.
func (e *taskCall) Cancel(*task.Ref) bool {
	e.worker.Cancel(nil)
	return false
}

// Reason and Owners are for reports.
func (e *taskCall) Reason() string      { return "its call of a net.Conn, net.PacketConn or net.Listener" }
func (e *taskCall) Owners() []*task.Ref { return []*task.Ref{e.worker} }
