// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"sync"

	"baton/internal/stack"
	"baton/task"
)

// An offloadedCall is a call that a goroutine makes while a task is parked. It is the task.Waiter
// of that task, and a loop.Waker.
type offloadedCall struct {
	offload   *offload
	task      *task.Ref // parked
	what      string    // what the task waits for
	interrupt func()
	fn        func() error

	mu          sync.Mutex // guards done and interrupted
	done        bool       // fn has returned
	interrupted bool

	err      error
	panicked *task.PanicError
}

// run makes the call. It runs on the goroutine.
func (c *offloadedCall) run() {
	defer func() {
		if p := recover(); p != nil {
			who := c.task.String() + ", on a goroutine of its own,"
			c.panicked = &task.PanicError{Value: p, Stack: stack.OfPanic(), Task: who}
		}
		c.mu.Lock()
		c.done = true
		c.mu.Unlock()
		_ = c.task.Loop().Driver().Post(c) // cannot fail: a loop with a task is not closed
	}()
	c.err = c.fn()
}

// Wake wakes the task. The loop calls it after the call has returned.
func (c *offloadedCall) Wake() {
	c.task.Loop().Driver().Shut()
	c.task.Wake()
}

// Cancel interrupts the call. The task stays parked until the call returns, because the goroutine
// uses the task's memory. A call that is done is not interrupted: the next request may already use
// the connection.
func (c *offloadedCall) Cancel(*task.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done && !c.interrupted && c.interrupt != nil {
		c.interrupted = true
		c.offload.others.Go(c.interrupt)
	}
	return false
}

func (c *offloadedCall) Reason() string      { return c.what }
func (c *offloadedCall) Owners() []*task.Ref { return nil }
