// SPDX-License-Identifier: Apache-2.0

// Interop_asyncio shows how tasks, callbacks and goroutines call each other on one loop. There
// are six kinds of call between two of the three, and one chain of calls has all of them. The
// last task returns 1, and each caller doubles the result.
//
//	go run ./examples/interop_asyncio
//
// Tulip's example of this name showed coroutines of asyncio and of Trollius that call each
// other.
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

// A chain has what the functions need to call each other.
type chain struct {
	loop   *loop.Loop     // tasks schedule callbacks on it, and callbacks start goroutines
	scope  *task.ScopeRef // callbacks start tasks in it
	portal *task.Portal   // goroutines start tasks with it

	// Tasks and callbacks of a loop run one at a time. Goroutines run in parallel, so a lock
	// protects what goroutines use as well.
	mu  sync.Mutex
	out io.Writer
}

// A task calls await.Blocking to run a goroutine and to wait for it. Other tasks run meanwhile.
func (c *chain) taskCallsGoroutine(ctx context.Context) (int, error) {
	defer c.call(0, "task", "goroutine")()
	n, err := await.Blocking(ctx, func(context.Context) (int, error) {
		return c.goroutineCallsCallback()
	})
	return 2 * n, err
}

// A goroutine calls CallSoonThreadsafe to run a callback. The goroutine may block until the
// callback has run, because the loop goes on.
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

// A callback must not block. RunInExecutor runs a goroutine, and then another callback.
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

// A goroutine runs a task through a portal, and waits for it.
func (c *chain) goroutineCallsTask() (n int, err error) {
	defer c.call(3, "goroutine", "task")()
	err = c.portal.Do(func(ctx context.Context) (err error) {
		n, err = c.taskCallsCallback(ctx)
		return err
	})
	return 2 * n, err
}

// A task awaits a future, and a callback sets the future.
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

// A callback starts a task in the scope. Another callback runs when the task has ended.
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

// The last task sleeps and calls nothing.
func (c *chain) lastTask(ctx context.Context) (int, error) {
	c.print(6, "task", "sleeps")
	return 1, await.Sleep(ctx, 10*time.Millisecond)
}

// call prints the begin of a call, and returns a function that prints its end.
func (c *chain) call(depth int, caller, callee string) (returns func()) {
	c.print(depth, caller, "calls a "+callee)
	return func() { c.print(depth, caller, "has the result of the "+callee) }
}

func (c *chain) print(depth int, caller, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%-10s %s%s\n", caller+":", strings.Repeat("  ", depth), what)
}
