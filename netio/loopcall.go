// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"sync"

	"baton/loop"
	"baton/task"
)

// A visit is a call that a goroutine outside sends to a loop. Either the loop takes
// it, or the caller gives it up: then do is never called. A visit is used once.
type loopCall struct {
	mu   sync.Mutex
	do   func() // nil once the loop has taken it, or the caller has given up
	done chan struct{}

	loop   *loop.Loop
	worker *task.Ref // the task that do has started, if any; belongs to the loop until done is closed
}

// send has do called with the loop's baton. do must not switch; what it begins must
// close done when it ends. send returns false if the loop is closed. A loop that does
// not run takes no visit: see wait. A task of another loop would stop that loop while
// it waits: send panics.
func (c *loopCall) send(l *loop.Loop, do func()) bool {
	if other := loop.Current(); other != nil {
		misuse("a net.Conn, net.PacketConn, net.Listener or dial function of %v is used by a task of %v; use a Portal between loops", l, other)
	}
	c.loop, c.do, c.done = l, do, make(chan struct{})
	return l.Driver().Post(c) == nil
}

// take returns do to one caller, and nil to every other one.
func (c *loopCall) take() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	do := c.do
	c.do = nil
	return do
}

// Wake calls do. It is the loop's to call.
func (c *loopCall) Wake() {
	if do := c.take(); do != nil {
		do()
	}
}

// wait blocks the calling goroutine until the visit is done. If over or quit is closed
// before the loop has taken the visit, wait gives it up and returns false. After that,
// wait cancels the worker and waits for its end, since the worker uses the caller's
// memory.
func (c *loopCall) wait(over, quit <-chan struct{}) bool {
	select {
	case <-c.done:
		return true
	case <-over:
	case <-quit:
	}
	if c.take() != nil {
		return false
	}
	_ = c.loop.Driver().Post((*cancelCall)(c)) // a closed loop has ended every task
	<-c.done
	return true
}

// recall is a visit whose worker is to be cancelled.
type cancelCall loopCall

// Wake cancels the worker. It is the loop's to call.
func (r *cancelCall) Wake() {
	if r.worker != nil {
		r.worker.Cancel(nil)
	}
}
