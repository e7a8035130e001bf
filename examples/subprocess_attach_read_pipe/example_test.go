// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	fmt.Println(task.Run(context.Background(), func(ctx context.Context) error { return run(ctx, os.Stdout) }))
	// Output:
	// read = "data"
	// <nil>
}
