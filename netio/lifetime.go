// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"

	"baton/internal/bridge"
	"baton/task"
)

// A lifetime is the ctx of a net.Conn, a net.PacketConn, a net.Listener or a dial function.
// Calls from other tasks and goroutines run as tasks under ctx, so the end of ctx ends
// them. The methods are safe for concurrent use.
type lifetime struct {
	ctx  context.Context
	task *task.Ref       // the task of ctx
	own  context.Context // the context of the task's function
}

// newLifetime returns the lifetime of ctx. The task of ctx calls it.
func newLifetime(ctx context.Context) lifetime {
	home := task.Self(ctx)
	_, own := home.Running()
	return lifetime{ctx, home, own}
}

// life returns the context that ends with the lifetime: ctx, or the context of its task if
// ctx cannot end. Both have ended when the loop has stopped running.
func (l *lifetime) life() context.Context {
	if l.ctx.Done() == nil {
		return l.own
	}
	return l.ctx
}

// cause returns why calls fail: the cause of the lifetime's end, or net.ErrClosed if the
// loop or the scope of ctx ended first.
func (l *lifetime) cause() error {
	if life := l.life(); life.Err() != nil {
		return context.Cause(life)
	}
	return net.ErrClosed
}

// An opErrorFunc wraps an error that has ended an operation in a *net.OpError.
type opErrorFunc func(op string, err error) error

// isOwnTask reports whether the lifetime's task is the caller.
func (l *lifetime) isOwnTask() bool {
	caller, _ := l.task.Running()
	return caller == l.task
}

// callAsTask does one call for every other caller, as a task under ctx. op is the
// operation, as in package net, and what names the interface. A goroutine outside the loop
// does not know tasks, so it gets a cancel as an error of the network.
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

// onLoop runs fn, which does not switch, with the baton. The error is fn's, or says why the
// lifetime had ended before, as an error of the operation op.
func (l *lifetime) onLoop(op string, opError opErrorFunc, fn func() error) error {
	done, err := l.tryOnLoop(fn)
	if !done {
		return opError(op, l.cause())
	}
	return err
}

// tryOnLoop runs fn with the baton. A goroutine outside the loop waits until the loop has
// run fn. If the lifetime ends first, fn is not called and done is false.
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

// owned returns a net.Conn that owns its stream: the end of the lifetime closes the stream.
func (l *lifetime) owned(s *Stream) net.Conn {
	c := s.netConn(*l)
	c.stop = bridge.AfterEnd(l.life(), func() { _ = s.Close() })
	return c.asNetConn()
}

// forTask runs fn as a task under the lifetime's ctx, for another task of the loop. That
// task is the caller, and ctx is its own. It parks until fn has returned; a cancel of the
// caller cancels fn. If the scope of the lifetime has ended, forTask returns false and does
// not run fn.
func (l *lifetime) forTask(ctx context.Context, caller *task.Ref, fn func(ctx context.Context)) bool {
	call := &taskCall{worker: bridge.GoUnder(l.ctx, func(ctx context.Context) error {
		defer caller.Wake()
		fn(ctx)
		return nil
	}).(*task.Ref)}
	if call.worker == nil {
		return false
	}
	park(ctx, call)
	return true
}

// forGoroutine is forTask for a goroutine outside the loop, which blocks. It cancels fn
// when quit is closed; quit may be nil. It also returns false if the lifetime ended, or
// quit was closed, before the loop had begun with fn.
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

// A taskCall is the task.Waiter of forTask's caller.
type taskCall struct{ worker *task.Ref }

// Cancel passes a cancel of the caller on to the worker, which wakes the caller when it
// ends.
func (c *taskCall) Cancel(*task.Ref) bool {
	c.worker.Cancel(nil)
	return false
}

// Reason and Owners describe the wait.
func (c *taskCall) Reason() string      { return "its call of a net.Conn, net.PacketConn or net.Listener" }
func (c *taskCall) Owners() []*task.Ref { return []*task.Ref{c.worker} }
