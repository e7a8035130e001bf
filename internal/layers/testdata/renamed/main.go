// SPDX-License-Identifier: Apache-2.0

// Renamed causes reports that contain names of functions. TestModulePathCanChange runs
// it in a copy of the module with another path, and checks the output.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"baton/await"
	"baton/loop"
	"baton/task"
)

func main() {
	for _, h := range []task.Handoff{task.Channel, task.Coroutine} {
		reports := make(chan loop.SlowStep, 100)
		r := task.Runner{Handoff: h, Config: loop.Config{
			SlowStep: 20 * time.Millisecond,
			OnSlow:   func(s loop.SlowStep) { reports <- s },
		}}
		err := r.Run(context.Background(), func(ctx context.Context) error {
			slowTask(reports)
			task.Yield(ctx)
			task.Loop(ctx).CallSoon(func() { slowCallback(reports) })
			task.Yield(ctx)
			misuse(ctx)
			task.Loop(ctx).SetDebug(true)
			fmt.Println("callback:", task.Loop(ctx).CallSoon(func() {}))
			return nil
		})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func slowTask(reports chan loop.SlowStep)     { fmt.Println("slow:", hold(reports)) }
func slowCallback(reports chan loop.SlowStep) { fmt.Println("slow:", hold(reports)) }

// hold holds the baton until a report shows the stack.
func hold(reports chan loop.SlowStep) loop.SlowStep {
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late); {
		select {
		case s := <-reports:
			if s.Stack != nil {
				return s
			}
		default:
			runtime.Gosched()
		}
	}
	return loop.SlowStep{}
}

// misuse uses the context of a task on another goroutine.
func misuse(ctx context.Context) {
	done := make(chan bool)
	go func() {
		defer close(done)
		defer func() { fmt.Println("misuse:", recover()) }()
		await.Sleep(ctx, 0)
	}()
	<-done
}
