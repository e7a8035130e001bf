// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/await"
	"baton/task"
)

// This is the program of the package documentation, with Run instead of Main.
func Example() {
	run := func(ctx context.Context) error {
		total := 0
		err := task.Scope(ctx, func(ctx context.Context) error {
			for i := range 4 {
				task.Go(ctx, func(ctx context.Context) error {
					err := await.Sleep(ctx, time.Millisecond) // may switch: it takes a ctx
					total += i                                // needs no lock: one task runs at a time
					return err
				})
			}
			return nil
		})
		fmt.Println("total:", total) // Scope returns when its tasks have ended
		return err
	}
	task.Run(context.Background(), run)
	// Output: total: 6
}

func ExampleRun() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error {
			fmt.Println("hello from task", task.Self(ctx).ID())
			return nil
		})
		fmt.Println("hello from task", task.Self(ctx).ID())
		return errors.New("done")
	})
	fmt.Println(err)
	// Output:
	// hello from task 1
	// hello from task 2
	// done
}

func ExampleGo() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		for _, name := range []string{"a", "b"} {
			task.Go(ctx, func(ctx context.Context) error {
				for n := range 2 {
					fmt.Println(name, n)
					if err := task.Yield(ctx); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return nil // Run returns when both tasks have ended
	})
	fmt.Println(err)
	// Output:
	// a 0
	// b 0
	// a 1
	// b 1
	// <nil>
}

func ExampleStart() {
	task.Run(context.Background(), func(ctx context.Context) error {
		square := task.Start(ctx, func(ctx context.Context) (int, error) { return 7 * 7, nil })
		fmt.Println("started")
		v, err := square.Await(ctx)
		fmt.Println(v, err)
		return nil
	})
	// Output:
	// started
	// 49 <nil>
}

func ExampleStartReady() {
	task.Run(context.Background(), func(ctx context.Context) error {
		serve := func(ctx context.Context, ready func(addr string)) error {
			ready("localhost:7000")
			return await.Forever(ctx) // serve clients
		}
		addr, err := task.StartReady(ctx, serve)
		fmt.Println("serving on", addr, err)
		task.ScopeOf(ctx).Cancel(nil)
		return nil
	})
	// Output: serving on localhost:7000 <nil>
}

// Result returns the result without waiting.
func ExampleTask_Result() {
	task.Run(context.Background(), func(ctx context.Context) error {
		square := task.Start(ctx, func(ctx context.Context) (int, error) { return 7 * 7, nil })
		_, err := square.Result()
		fmt.Println(err)
		task.Yield(ctx)
		v, err := square.Result()
		fmt.Println(v, err)
		return nil
	})
	// Output:
	// task: not done
	// 49 <nil>
}

func ExampleRef_Cancel() {
	task.Run(context.Background(), func(ctx context.Context) error {
		r := task.Go(ctx, func(ctx context.Context) error {
			err := await.Forever(ctx)
			fmt.Println(err)
			return err
		})
		r.SetName("server")
		task.Yield(ctx)
		r.Cancel(errors.New("closing time"))
		return nil
	})
	// Output: task: task 2 (server) canceled: closing time
}

func ExampleState() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var event task.Future[bool]
		r := task.Go(ctx, func(ctx context.Context) error {
			_, err := event.Await(ctx)
			return err
		})
		fmt.Println(r.State())
		task.Yield(ctx)
		fmt.Println(r.State())
		event.Set(true)
		task.Yield(ctx)
		fmt.Println(r.State())
		return nil
	})
	// Output:
	// ready
	// parked
	// done
}

// The first failure cancels the other tasks, and Scope returns it.
func ExampleScope() {
	task.Run(context.Background(), func(ctx context.Context) error {
		err := task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return errors.New("no coffee") })
			task.Go(ctx, func(ctx context.Context) error {
				err := await.Forever(ctx)
				fmt.Println(errors.Is(err, context.Canceled), context.Cause(ctx))
				return err
			})
			return nil
		})
		fmt.Println(err)
		return nil
	})
	// Output:
	// true no coffee
	// no coffee
}

// A request starts a task that outlives the request.
func ExampleScopeRef() {
	task.Run(context.Background(), func(ctx context.Context) error {
		background := task.ScopeOf(ctx)
		return task.Scope(ctx, func(ctx context.Context) error { // handles the request
			background.Go(func(ctx context.Context) error {
				err := task.Yield(ctx)
				fmt.Println("background:", err)
				return err
			})
			fmt.Println("handled")
			return nil
		})
	})
	// Output:
	// handled
	// background: <nil>
}

func ExampleShield() {
	task.Run(context.Background(), func(ctx context.Context) error {
		server := task.StartErr(ctx, func(ctx context.Context) error {
			err := await.Forever(ctx) // serve clients
			ctx, release := task.Shield(ctx, time.Second)
			defer release()
			fmt.Println("saying goodbye:", task.Yield(ctx))
			return err
		})
		task.Yield(ctx)
		server.Cancel(errors.New("going home"))
		_, err := server.Await(ctx)
		fmt.Println(errors.Is(err, context.Canceled))
		return nil
	})
	// Output:
	// saying goodbye: <nil>
	// true
}

func ExampleCheckpoint() {
	task.Run(context.Background(), func(ctx context.Context) error {
		r, err := task.Checkpoint(ctx)
		fmt.Println(r.ID(), err)

		r.Cancel(errors.New("enough"))
		_, err = task.Checkpoint(ctx)
		fmt.Println(errors.Is(err, context.Canceled))
		return nil
	})
	// Output:
	// 1 <nil>
	// true
}

func ExampleFuture() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var answer task.Future[int]
		task.Go(ctx, func(ctx context.Context) error {
			v, err := answer.Await(ctx)
			fmt.Println("got", v, err)
			return nil
		})
		task.Loop(ctx).CallSoon(func() { answer.Set(42) })
		return nil
	})
	// Output: got 42 <nil>
}
