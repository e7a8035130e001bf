// SPDX-License-Identifier: Apache-2.0

// Hello_coroutine prints a greeting every two seconds, from a task that sleeps in between. It
// does the same as hello_callback, as one sequence of calls.
//
//	go run ./examples/hello_coroutine       # until Ctrl-C
//	go run ./examples/hello_coroutine -n 2  # twice
package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"baton/await"
	"baton/task"
)

var n = flag.Int("n", 0, "number of greetings; 0 is without end")

func main() {
	flag.Parse()
	task.Main(greet)
}

func greet(ctx context.Context) error {
	for greeted := 1; ; greeted++ {
		fmt.Println("Hello World")
		if greeted == *n {
			return nil
		}
		if err := await.Sleep(ctx, 2*time.Second); err != nil {
			return err
		}
	}
}
