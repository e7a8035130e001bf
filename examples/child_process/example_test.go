// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"baton/task"
)

func TestMain(m *testing.M) {
	if os.Getenv("CHILD_PROCESS_TEST") != "" { // Example has started this process
		interpret(os.Stdin, os.Stdout, os.Stderr)
		return
	}
	goleak.VerifyTestMain(m)
}

func Example() {
	interpreter := exec.Command(os.Args[0])
	interpreter.Env = append(os.Environ(), "CHILD_PROCESS_TEST=1")
	fmt.Println(task.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, interpreter)
	}))
	// Output:
	// >>> 1+1
	// OUT 2
	// >>> 1<<16
	// OUT 65536
	// >>> 1.0/3
	// OUT 0.333333
	// >>> "x"+"y"
	// OUT "xy"
	// >>> 1/0
	// ERR eval:1:3: invalid operation: division by zero
	// >>> len("Hello")
	// OUT 5
	// <nil>
}
