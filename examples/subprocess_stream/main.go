// SPDX-License-Identifier: Apache-2.0

// Subprocess_stream talks to child processes through the streams of their pipes. It writes a
// line to cat and reads it back, and it reads the output of ls line by line.
//
//	go run ./examples/subprocess_stream
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"baton/netio/process"
	"baton/task"
)

func main() {
	task.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, w io.Writer) error {
	if err := cat(ctx, w); err != nil {
		return err
	}
	return ls(ctx, w)
}

// cat writes a line to the program cat, and reads it back.
func cat(ctx context.Context, w io.Writer) error {
	cmd := process.Command("cat")
	stdin, err := cmd.StdinPipe(ctx)
	if err != nil {
		return err
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe(ctx)
	if err != nil {
		return err
	}
	defer stdout.Close()
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintln(w, "pid:", cmd.Process.Pid)
	message := "Hello World!"
	fmt.Fprintf(w, "cat write: %q\n", message)
	if _, err := stdin.Write(ctx, []byte(message+"\n")); err != nil {
		return err
	}
	line, err := stdout.ReadLine(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "cat read: %q\n", line)
	if err := stdin.CloseWrite(); err != nil { // cat finds the end of its input
		return err
	}
	if err := cmd.Wait(ctx); err != nil {
		return err
	}
	fmt.Fprintf(w, "(exit code %d)\n", cmd.ProcessState.ExitCode())
	return nil
}

// ls prints each line that the program ls writes.
func ls(ctx context.Context, w io.Writer) error {
	cmd := process.Command("ls")
	stdout, err := cmd.StdoutPipe(ctx)
	if err != nil {
		return err
	}
	defer stdout.Close()
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	for line, err := range stdout.Lines(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintln(w, "ls>>", line)
	}
	return cmd.Wait(ctx)
}
