// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"baton/await"
	"baton/task"
)

func ExampleCanceled() {
	task.Run(context.Background(), func(ctx context.Context) error {
		r := task.StartErr(ctx, await.Forever)
		r.Cancel(errors.New("the user gave up"))
		_, err := r.Await(ctx)

		var c *task.Canceled
		if errors.As(err, &c) {
			fmt.Println("cause:", c.Cause)
			fmt.Println("deadline:", c.Timeout())
		}
		fmt.Println(errors.Is(err, context.Canceled))
		return nil
	})
	// Output:
	// cause: the user gave up
	// deadline: false
	// true
}

// A deadlock is an error that lists the parked tasks.
func ExampleDeadlockError() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		task.Self(ctx).SetName("main")
		var never task.Future[int]
		_, err := never.Await(ctx)
		return err
	})
	var d *task.DeadlockError
	if errors.As(err, &d) {
		fmt.Println(d.Waits[0].Task, "waits for", d.Waits[0].Reason)
	}
	// Output: task 1 (main) waits for a future
}

// Run panics with the panic of a task, after all tasks have ended.
func ExamplePanicError() {
	defer func() {
		var p *task.PanicError
		if err, ok := recover().(error); ok && errors.As(err, &p) {
			fmt.Println(p.Task, "panicked:", p.Value)
		}
	}()
	task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(context.Context) error { panic("unexpected input") }).SetName("parser")
		return nil
	})
	// Output: task 2 (parser) panicked: unexpected input
}

// A program that says goodbye after a signal.
func ExampleSignalError() {
	serve := func(ctx context.Context) error {
		err := await.Forever(ctx)
		var s *task.SignalError
		if errors.As(err, &s) {
			fmt.Println("shutting down:", s.Signal)
		}
		return err
	}
	// task.Main(serve) cancels serve when the process receives a signal. This example does
	// the same without a signal.
	task.Run(context.Background(), func(ctx context.Context) error {
		task.ScopeOf(ctx).Cancel(&task.SignalError{Signal: os.Interrupt})
		return serve(ctx)
	})
	// Output: shutting down: interrupt
}
