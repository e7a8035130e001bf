// SPDX-License-Identifier: Apache-2.0

// Subprocess_attach_write_pipe gives a child process one more pipe, in addition to its standard
// files, and writes to the pipe.
//
//	go run ./examples/subprocess_attach_write_pipe
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
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	pipe, err := process.WritePipe(ctx, ours)
	ours.Close() // the stream has a duplicate
	if err != nil {
		return err
	}
	defer pipe.Close()

	cmd := process.Command("/bin/sh", "-c", "cat <&3")
	cmd.ExtraFiles = []*os.File{theirs} // the child's descriptor 3
	if _, err := cmd.StdoutPipe(ctx); err != nil {
		return err
	}
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	if _, err := pipe.Write(ctx, []byte("data")); err != nil {
		return err
	}
	if err := pipe.Close(); err != nil { // the child finds the end of the pipe
		return err
	}
	stdout, _, err := cmd.Communicate(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "stdout = %q\n", stdout)
	return nil
}
