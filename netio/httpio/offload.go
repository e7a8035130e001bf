// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"baton/loop"
	"baton/task"
)

// longAgo is a deadline in the past. Setting it interrupts a Read or Write.
var longAgo = time.Unix(1, 0)

// An offload makes the calls of package net/http that may block. A task's call runs on a
// goroutine without the baton, while the task waits.
type offload struct {
	task   *task.Ref           // a task of the loop
	ctx    context.Context     // its end interrupts the calls that goroutines make; may be nil
	calls  chan *offloadedCall // to the goroutine in loopRequest.serve; see there; may be nil
	others sync.WaitGroup      // the other goroutines that make calls
	ended  atomic.Bool         // package net/http must not be called any more
}

// do calls fn and returns its error. If the caller is a task, a goroutine calls fn while the task
// is parked. A cancel of that task calls interrupt on another goroutine, unless interrupt is nil;
// interrupt must make fn return soon. do returns the *task.Canceled if the task was cancelled
// before fn, or if fn failed after an interrupt. If the caller is no task, do calls fn directly.
func (o *offload) do(what string, interrupt func(), fn func() error) error {
	caller, ctx := o.task.Running()
	if caller == nil {
		return o.direct(what, interrupt, fn)
	}
	_, err := task.Checkpoint(ctx)
	switch {
	case o.ended.Load():
		return errHandlerReturned
	case err != nil:
		return err
	}
	call := &offloadedCall{offload: o, task: caller, what: what, interrupt: interrupt, fn: fn}
	caller.Loop().Driver().Open()
	select {
	case o.calls <- call:
	default:
		o.others.Go(call.run)
	}
	_ = task.Park(ctx, call) // Wake ends it
	switch {
	case call.panicked != nil:
		panic(call.panicked)
	case call.err != nil && call.interrupted:
		return task.Check(ctx)
	}
	return call.err
}

// direct is do for a caller that is not a task.
func (o *offload) direct(what string, interrupt func(), fn func() error) error {
	if l := loop.Current(); l != nil {
		misuse("a callback, or a task of another loop, waits for %s on %v; use a task of %v, or a goroutine", what, l, o.task.Loop())
	}
	switch {
	case o.ended.Load():
		return errHandlerReturned
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
