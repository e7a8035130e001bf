// SPDX-License-Identifier: Apache-2.0

// Stacks prints the stacks of all tasks before, during and after the life of a task that fails.
// It shows where a parked task is in its code, and what it waits for.
//
//	go run ./examples/stacks        # the frames of this file
//	go run ./examples/stacks -full  # all frames
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"baton/loop"
	"baton/netio"
	"baton/task"
)

var full = flag.Bool("full", false, "print all frames, not only those of this file")

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return show(ctx, os.Stdout) })
}

func show(ctx context.Context, w io.Writer) error {
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	client, err := netio.Dial(ctx, "tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := ln.Accept(ctx)
	if err != nil {
		return err
	}
	defer server.Close()

	err = task.Scope(ctx, func(ctx context.Context) error {
		t := task.Go(ctx, func(ctx context.Context) error { return divide(ctx, w, client) })
		t.SetName("divide")
		stacks(ctx, w, "before: the task has not begun")
		if err := task.Yield(ctx); err != nil {
			return err
		}
		stacks(ctx, w, "during: it waits for a line")
		_, err := server.Write(ctx, []byte("0\n"))
		return err
	})
	var panicked *task.PanicError
	if !errors.As(err, &panicked) {
		return fmt.Errorf("stacks: the task ended with %v, not with a panic", err)
	}
	fmt.Fprintf(w, "catching %v of %s\n", panicked.Value, panicked.Task)
	fmt.Fprintln(w, frames(panicked.Stack))
	stacks(ctx, w, "after: it has ended")

	// Without this handler the loop prints the panic at the end.
	task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
		fmt.Fprintln(w, "the exception handler gets:", e.Message, e.Err)
	})
	panicked.Report(ctx)
	return nil
}

// divide reads a number and divides by it.
func divide(ctx context.Context, w io.Writer, s *netio.Stream) error {
	stacks(ctx, w, "inside the task")
	line, err := s.ReadLine(ctx)
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(line, &n); err != nil {
		return err
	}
	fmt.Fprintln(w, 1/n)
	return nil
}

// stacks prints the stack of every task of the loop. It does not switch, so all stacks are of
// the same moment.
func stacks(ctx context.Context, w io.Writer, title string) {
	fmt.Fprintf(w, "--- %s ---\n", title)
	for _, t := range task.Tasks(ctx) {
		fmt.Fprintf(w, "%v, %v", t, t.State())
		if wait, ok := t.Waiting(); ok {
			fmt.Fprintf(w, ", waits for %s", wait.Reason)
		}
		fmt.Fprintf(w, "\n%s\n", frames(t.Stack()))
	}
}

// frames returns the frames of a stack that are in this file, or all frames with -full. A frame
// is two lines: the function and the position.
func frames(stack []byte) string {
	if *full {
		return string(stack)
	}
	_, here, _, _ := runtime.Caller(0)
	var ours strings.Builder
	lines := strings.Split(string(stack), "\n")
	for i, line := range lines {
		if i > 0 && strings.HasPrefix(line, "\t"+here+":") {
			fmt.Fprintf(&ours, "%s\n%s\n", lines[i-1], line)
		}
	}
	return ours.String()
}
