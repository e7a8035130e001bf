// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"sync"

	"baton/loop"
	"baton/task"
)

// A loopCall is a function that a goroutine outside the loop sends to the loop. Either the
// loop runs it, or the caller withdraws it, and then it never runs. A loopCall is used
// once.
type loopCall struct {
	mu   sync.Mutex
	do   func() // nil once the loop has taken it, or the caller has withdrawn it
	done chan struct{}

	loop   *loop.Loop
	worker *task.Ref // the task that do started, or nil; belongs to the loop until done is closed
}

// send posts do to the loop, which calls it with the baton. do must not switch. What do
// begins must close done when it ends. send returns false if the loop is closed. If the
// loop does not run, do waits: see wait. send panics on a task of another loop, because
// waiting would block that loop.
func (c *loopCall) send(l *loop.Loop, do func()) bool {
	if other := loop.Current(); other != nil {
		misuse("a net.Conn, net.PacketConn, net.Listener or dial function of %v is used by a task of %v; use a task.Portal between loops", l, other)
	}
	c.loop, c.do, c.done = l, do, make(chan struct{})
	return l.Driver().Post(c) == nil
}

// take returns do to the first caller, and nil to later ones.
func (c *loopCall) take() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	do := c.do
	c.do = nil
	return do
}

// Wake calls do. Only the loop calls it.
func (c *loopCall) Wake() {
	if do := c.take(); do != nil {
		do()
	}
}

// wait blocks the calling goroutine until done is closed. If over or quit is closed before
// the loop has taken do, wait withdraws do and returns false. If one is closed later, wait
// cancels the worker and waits for its end, because the worker uses the caller's memory.
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
	_ = c.loop.Driver().Post((*cancelCall)(c)) // if the loop is closed, it has ended every task
	<-c.done
	return true
}

// cancelCall is a loopCall whose worker must be cancelled.
type cancelCall loopCall

// Wake cancels the worker. Only the loop calls it.
func (r *cancelCall) Wake() {
	if r.worker != nil {
		r.worker.Cancel(nil)
	}
}
