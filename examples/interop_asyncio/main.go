// SPDX-License-Identifier: Apache-2.0

// Interop_asyncio shows how tasks, callbacks and goroutines call each other on one loop.
// There are six ways from one of the three to another, and one chain of calls takes all
// of them. The last task returns the number 1, and each caller doubles what it gets.
//
//	go run ./examples/interop_asyncio
//
// The example of Tulip with this name let the coroutines of asyncio and of Trollius call
// each other.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"baton/await"
	"baton/loop"
	"baton/task"
)

func main() {
	task.Main(func(ctx context.Context) error { return show(ctx, os.Stdout) })
}

func show(ctx context.Context, out io.Writer) error {
	return task.Scope(ctx, func(ctx context.Context) error {
		c := &chain{loop: task.Loop(ctx), scope: task.ScopeOf(ctx), portal: task.OpenPortal(ctx), out: out}
		n, err := c.taskCallsGoroutine(ctx)
		if err == nil {
			fmt.Fprintln(out, "the result is", n)
		}
		return err
	})
}

// A chain is what the functions need to call each other.
type chain struct {
	loop   *loop.Loop     // tasks have it run callbacks, and callbacks have it run goroutines
	scope  *task.ScopeRef // callbacks start tasks in it
	portal *task.Portal   // goroutines start tasks by it

	// Tasks and callbacks of a loop run one at a time. Goroutines run beside them, so
	// what goroutines use as well needs a lock.
	mu  sync.Mutex
	out io.Writer
}

// A task waits for a goroutine by await.Blocking. Other tasks run meanwhile.
func (c *chain) taskCallsGoroutine(ctx context.Context) (int, error) {
	defer c.call(0, "task", "goroutine")()
	n, err := await.Blocking(ctx, func(context.Context) (int, error) {
		return c.goroutineCallsCallback()
	})
	return 2 * n, err
}

// A goroutine has a callback run by CallSoonThreadsafe. It may wait for the result, for it
// does not hold up the loop.
func (c *chain) goroutineCallsCallback() (int, error) {
	defer c.call(1, "goroutine", "callback")()
	var n int
	var err error
	done := make(chan struct{})
	_, closed := c.loop.CallSoonThreadsafe(func() {
		c.callbackCallsGoroutine(func(result int, failure error) {
			n, err = result, failure
			close(done)
		})
	})
	if closed != nil {
		return 0, closed
	}
	<-done
	return 2 * n, err
}

// A callback must not wait. RunInExecutor has another callback run after the goroutine.
func (c *chain) callbackCallsGoroutine(then func(int, error)) {
	returns := c.call(2, "callback", "goroutine")
	var n int
	var err error
	c.loop.RunInExecutor(
		func() { n, err = c.goroutineCallsTask() },
		func() {
			returns()
			then(2*n, err)
		})
}

// A goroutine has a task run by a portal, and waits for it.
func (c *chain) goroutineCallsTask() (n int, err error) {
	defer c.call(3, "goroutine", "task")()
	err = c.portal.Do(func(ctx context.Context) (err error) {
		n, err = c.taskCallsCallback(ctx)
		return err
	})
	return 2 * n, err
}

// A task awaits a future, which the callback sets.
func (c *chain) taskCallsCallback(ctx context.Context) (int, error) {
	defer c.call(4, "task", "callback")()
	var result task.Future[int]
	c.loop.CallSoon(func() {
		c.callbackCallsTask(func(n int, err error) {
			if err != nil {
				result.Fail(err)
			} else {
				result.Set(n)
			}
		})
	})
	n, err := result.Await(ctx)
	return 2 * n, err
}

// A callback starts a task in the scope, and has another callback run when it has ended.
func (c *chain) callbackCallsTask(then func(int, error)) {
	returns := c.call(5, "callback", "task")
	var n int
	var err error
	last := c.scope.Go(func(ctx context.Context) error {
		n, err = c.lastTask(ctx)
		return err
	})
	last.AddDoneCallback(func(*task.Ref) {
		returns()
		then(2*n, err)
	})
}

// The last task calls no one, and takes its time.
func (c *chain) lastTask(ctx context.Context) (int, error) {
	c.print(6, "task", "sleeps")
	return 1, await.Sleep(ctx, 10*time.Millisecond)
}

// call prints that a call begins, and returns a function that prints that it has ended.
func (c *chain) call(depth int, caller, callee string) (returns func()) {
	c.print(depth, caller, "calls a "+callee)
	return func() { c.print(depth, caller, "has the result of the "+callee) }
}

func (c *chain) print(depth int, who, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%-10s %s%s\n", who+":", strings.Repeat("  ", depth), what)
}
