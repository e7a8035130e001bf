// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"baton/await"
	"baton/netio/process"
	"baton/task"
)

// This program runs a command and prints its output. Other tasks could run meanwhile.
func Example() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		out, err := process.Command("echo", "hello").Output(ctx)
		fmt.Printf("%s", out)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

// Several commands run at the same time. The first failure ends the others.
func ExampleCmd_Run() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			for _, script := range []string{"exec sleep 60", "exit 3", "exec sleep 60"} {
				task.Go(ctx, process.Command("/bin/sh", "-c", script).Run)
			}
			return nil
		})
	})
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		fmt.Println("the exit code is", failed.ExitCode())
	}
	// Output:
	// the exit code is 3
}

// A command that takes too long is terminated.
func ExampleCmd_Run_timeout() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		return await.Timeout(ctx, 10*time.Millisecond, process.Command("sleep", "60").Run)
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// true
}

// Communicate writes the input of a child and reads its output at the same time.
func ExampleCmd_Communicate() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		out, _, err := process.Command("sort").Communicate(ctx, []byte("b\nc\na\n"))
		fmt.Printf("%s", out)
		return err
	})
	fmt.Println(err)
	// Output:
	// a
	// b
	// c
	// <nil>
}

// A program writes to a child and reads its answers, line by line.
func ExampleCmd_StdinPipe() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		cmd := process.Command("cat")
		in, err := cmd.StdinPipe(ctx)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := cmd.StdoutPipe(ctx)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := cmd.Start(ctx); err != nil {
			return err
		}
		for _, question := range []string{"one", "two"} {
			if _, err := in.Write(ctx, []byte(question+"\n")); err != nil {
				return err
			}
			answer, err := out.ReadLine(ctx)
			if err != nil {
				return err
			}
			fmt.Println(answer)
		}
		if err := in.CloseWrite(); err != nil { // cat finds the end of its input
			return err
		}
		return cmd.Wait(ctx)
	})
	fmt.Println(err)
	// Output:
	// one
	// two
	// <nil>
}

// A stream reads the lines of a pipe.
func ExampleReadPipe() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		r, w, err := os.Pipe() // or os.Stdin
		if err != nil {
			return err
		}
		in, err := process.ReadPipe(ctx, r)
		r.Close() // the stream has a duplicate
		if err != nil {
			return err
		}
		defer in.Close()
		fmt.Fprintln(w, "first\nsecond")
		w.Close()
		for line, err := range in.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(strings.ToUpper(line))
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// FIRST
	// SECOND
	// <nil>
}

// A child gets one more pipe, as its descriptor 3. Such a pipe is made with os.Pipe: one end
// goes to ExtraFiles, and WritePipe makes a stream of the other end.
func ExampleWritePipe() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		in, err := process.WritePipe(ctx, w)
		w.Close() // the stream has a duplicate
		if err != nil {
			return err
		}
		if _, err := in.Write(ctx, []byte("from descriptor 3\n")); err != nil {
			return err
		}
		in.Close() // the child finds the end of the pipe
		cmd := process.Command("/bin/sh", "-c", "cat <&3")
		cmd.ExtraFiles = []*os.File{r}
		out, err := cmd.Output(ctx)
		fmt.Printf("%s", out)
		return err
	})
	fmt.Println(err)
	// Output:
	// from descriptor 3
	// <nil>
}
