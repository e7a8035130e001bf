// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"baton/internal/stack"
	"baton/loop"
	"baton/task"
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// An offload is where tasks have done what waits for package net/http: on goroutines that
// hold no baton.
type offload struct {
	home   *task.Ref           // a task of the loop
	ctx    context.Context     // its end interrupts the calls of goroutines; or nil
	calls  chan *offloadedCall // leads to a goroutine, if that waits; or nil. Closed when it is over
	others sync.WaitGroup      // other goroutines of errands
	ended  atomic.Bool         // package net/http may not be called any more
}

// do calls fn where it may wait, and returns its error. A task parks meanwhile, and returns
// its *task.Canceled if that has come before fn, or has ended fn by interrupt. Interrupt,
// unless nil, makes fn end soon, and is called on a goroutine. A caller that is not a task
// calls fn by itself.
func (o *offload) do(what string, interrupt func(), fn func() error) error {
	caller, ctx := o.home.Running()
	if caller == nil {
		return o.direct(what, interrupt, fn)
	}
	_, err := task.Checkpoint(ctx)
	switch {
	case o.ended.Load():
		return errOver
	case err != nil:
		return err
	}
	e := &offloadedCall{offload: o, task: caller, what: what, interrupt: interrupt, fn: fn}
	caller.Loop().Driver().Open()
	select {
	case o.calls <- e:
	default:
		o.others.Go(e.run)
	}
	_ = task.Park(ctx, e) // until Wake
	switch {
	case e.panicked != nil:
		panic(e.panicked)
	case e.err != nil && e.interrupted:
		return task.Check(ctx)
	}
	return e.err
}

// direct is do on a goroutine.
func (o *offload) direct(what string, interrupt func(), fn func() error) error {
	if l := loop.Current(); l != nil {
		misuse("%s on %v, in a callback or a task of another loop; it waits, and belongs to a task of the loop", what, l)
	}
	switch {
	case o.ended.Load():
		return errOver
	case o.ctx == nil || interrupt == nil:
		return fn()
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(o.ctx, func() {
		defer close(interrupted)
		interrupt()
	})
	err := fn()
	if !stop() {
		<-interrupted
	}
	return err
}

// An offloadedCall is a call that a goroutine does for a task, which is parked. It is a task.Waiter
// and a loop.Waker.
type offloadedCall struct {
	offload   *offload
	task      *task.Ref
	what      string
	interrupt func()
	fn        func() error

	mu          sync.Mutex // guards the next two
	done        bool       // fn has returned
	interrupted bool

	err      error
	panicked *task.PanicError
}

// run does the offloadedCall, on its goroutine.
func (e *offloadedCall) run() {
	defer func() {
		if p := recover(); p != nil {
			who := e.task.String() + ", on a goroutine of its own,"
			e.panicked = &task.PanicError{Value: p, Stack: stack.OfPanic(), Task: who}
		}
		e.mu.Lock()
		e.done = true
		e.mu.Unlock()
		_ = e.task.Loop().Driver().Post(e) // a loop with a task is not closed
	}()
	e.err = e.fn()
}

// Wake is the end of the offloadedCall. It is the loop's to call.
func (e *offloadedCall) Wake() {
	e.task.Loop().Driver().Shut()
	e.task.Wake()
}

// Cancel asks for the end of the offloadedCall, whose memory the goroutine uses until then. An
// offloadedCall that is done is not interrupted: the next request may use the connection.
func (e *offloadedCall) Cancel(*task.Ref) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.done && !e.interrupted && e.interrupt != nil {
		e.interrupted = true
		e.offload.others.Go(e.interrupt)
	}
	return false
}

func (e *offloadedCall) Reason() string      { return e.what }
func (e *offloadedCall) Owners() []*task.Ref { return nil }
