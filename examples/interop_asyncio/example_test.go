// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	fmt.Println(task.Run(context.Background(), func(ctx context.Context) error { return show(ctx, os.Stdout) }))
	// Output:
	// task:      calls a goroutine
	// goroutine:   calls a callback
	// callback:      calls a goroutine
	// goroutine:       calls a task
	// task:              calls a callback
	// callback:            calls a task
	// task:                  sleeps
	// callback:            has the result of the task
	// task:              has the result of the callback
	// goroutine:       has the result of the task
	// callback:      has the result of the goroutine
	// goroutine:   has the result of the callback
	// task:      has the result of the goroutine
	// the result is 64
	// <nil>
}

// The output is the same for every schedule.
func TestSchedules(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var out strings.Builder
		if err := show(ctx, &out); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasSuffix(got, "\nthe result is 64\n") || strings.Count(got, "\n") != 14 {
			t.Errorf("the chain prints\n%s", got)
		}
	})
}

// A cancel ends the last task, and each caller receives the error.
func TestCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var out strings.Builder
		err := await.Timeout(ctx, time.Millisecond, func(ctx context.Context) error { return show(ctx, &out) })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("show = %v, want deadline exceeded", err)
		}
		if got := out.String(); !strings.HasSuffix(got, "\ntask:      has the result of the goroutine\n") {
			t.Errorf("the chain prints\n%s", got)
		}
	})
}
